"""The work for one connection: link a phone, hold the link, log out."""
