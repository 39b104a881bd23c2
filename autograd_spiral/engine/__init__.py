"""The engine: it records, sweeps and differentiates any function that is entered in its table.

It knows no vocabulary, and imports `errors` and numpy. Read `table`, `tensor`, `sweep`, `grad`, in this order.
"""
