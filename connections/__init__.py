"""One WhatsApp link for each organization: what people want of it, what it is, and who makes it so."""
