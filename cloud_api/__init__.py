"""Meta's WhatsApp Cloud API as a façade: its shapes over messaging, and no rules of its own."""
