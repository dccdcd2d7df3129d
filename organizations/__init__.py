"""Who may see what: organizations, their members, their API tokens, and the one door to them."""
