"""One WhatsApp link for each organization: what people want, what is, and who makes it so."""
