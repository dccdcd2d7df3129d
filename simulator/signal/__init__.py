"""The Signal protocol for simulated accounts: key bundles, X3DH and the double ratchet."""
