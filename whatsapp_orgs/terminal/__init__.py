"""`manage.py whatsapp`: look after one organization's connection from a terminal.

It writes requests and reads states as the web does, and holds no socket: a worker does the work.
"""
