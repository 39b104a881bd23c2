"""The engine: it records, sweeps and differentiates any function that is entered in its table.

It knows no vocabulary, and imports only `errors` and NumPy. Read `table`, `tensor`, `sweep`, `grad`, in this order.
"""
