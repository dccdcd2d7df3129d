"""One WhatsApp link for each organization: its desired state, its actual state, its worker."""
