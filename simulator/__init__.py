"""A stand-in for WhatsApp's server and for the phone, on loopback, for demos, tests and benches."""
