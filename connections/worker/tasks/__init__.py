"""The work for one connection: link a phone, keep the link, log out."""
