"""`make chaos`: random faults and random users on a running product.

A driver starts the product, links its organizations, injects faults by a seed and acts as users.
After the faults the product and the simulator must reach the state that the users wanted within a
time limit. The driver keeps its own record of that state (`accounts.py`).
"""
