"""Tests of the stand-in: its parts, and the real neonize against it."""
