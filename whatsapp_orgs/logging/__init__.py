"""Log lines: their formats, and what must not be in one."""
