"""A simulator of WhatsApp's server and of phones, on loopback, for demos, tests and benchmarks."""
