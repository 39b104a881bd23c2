"""The engine: it records and differentiates every function that is entered in its table.

The engine enters no functions itself: the vocabulary does. It imports only `errors` and NumPy. To learn how it works,
read `table`, `tensor`, `sweep` and `grad`, in this order.
"""
