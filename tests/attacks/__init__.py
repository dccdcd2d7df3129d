"""Bounded attacks on a server on loopback: each prints what it reached."""
