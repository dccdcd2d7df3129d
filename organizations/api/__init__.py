"""The REST API of organizations, members, invitations and tokens."""
