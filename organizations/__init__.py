"""Organizations, their members and API tokens, and access control (`access.py`)."""
