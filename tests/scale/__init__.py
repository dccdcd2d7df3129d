"""The product grown up: web processes and workers on PostgreSQL and Redis, and their ends."""
