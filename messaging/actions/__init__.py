"""The only writers of messages. Each change appends its event in the same transaction.

`outgoing`: what software and people ask for. `dispatch`: what leaves next. `outcomes`: what became
of it. `incoming`, `receipts`, `changes`: what WhatsApp brings. `lost`: what was lost here.
"""
