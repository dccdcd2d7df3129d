"""Software that was written for Meta's Cloud API, unmodified, on a running product."""
