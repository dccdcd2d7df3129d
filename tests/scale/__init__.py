"""Tests with several web processes and workers on PostgreSQL and Redis."""
