"""A fleet loses WhatsApp, gets it back and loses some phones: who is told, by real parts.

`make drill`. The product runs as by `manage.py run`, with the real neonize; mails and chats arrive
at servers on loopback; no time is moved.
"""
