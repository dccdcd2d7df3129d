"""Tests of the simulator: its modules, and the real neonize against it."""
