"""Log lines: formats, redaction, and a line for each request."""
