"""Bounded attacks on a server on loopback; each prints its effect."""
