"""The web server: Daphne and its limits, requests into threads, proxy headers, Redis."""
