"""Inviting a colleague to an account, a role and organizations, by a link that sets a password."""
