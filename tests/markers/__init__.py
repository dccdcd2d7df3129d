"""Markers in all secrets and user inputs, and a search for them in all outputs of the product.

`table.py` lists the markers and where they may occur; `driver.py` uses the product with it;
`output_search.py` gathers what it left and searches that.
"""
