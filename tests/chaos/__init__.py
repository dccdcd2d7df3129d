"""The product under every fault at once, with people who act at random: `make chaos`.

A driver starts it, links its organizations, breaks things by a seed, and lets people press buttons.
Then the faults end, and what people wanted must be what is, within a bound, at the product and at
the simulated WhatsApp. The driver keeps its own ledger (`accounts.py`): it never asks the product
what the product should be.
"""
