"""Markers in every secret and every text, and the search for them in all that the product leaves.

`table.py` says what is planted and where it may be found; `drive.py` uses the product with it;
`evidence.py` gathers what it left and searches that.
"""
