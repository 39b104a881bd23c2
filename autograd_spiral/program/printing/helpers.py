"""Functions that are printed at the beginning of the texts that call them: operations that NumPy lacks, and checks."""

from __future__ import annotations

__all__ = ["BUILTINS", "HELPERS"]

HELPERS = {
    "scatter": '''\
def scatter(ct, index, shape):
    """Return zeros of `shape` with `ct` added at `index`; if an entry is repeated, its additions add up."""
    sums = {"e": np.float32, "f": np.float64 if ct.size > 16384 * np.zeros(shape).size else np.float32}
    out = np.zeros(shape, sums.get(ct.dtype.char, ct.dtype))
    if hasattr(out, "at"):  # of jax.numpy, whose arrays never change
        return out.at[index].add(ct).astype(ct.dtype)
    np.add.at(out, index, ct)
    return out.astype(ct.dtype, copy=False)
''',
    "place": '''\
def place(ct, index, shape):
    """Return zeros of `shape` with `ct` at `index`, which repeats no entry."""
    out = np.zeros(shape, ct.dtype)
    if hasattr(out, "at"):  # of jax.numpy, whose arrays never change
        return out.at[index].set(ct)
    out[index] = ct
    return out
''',
    "add_windows": '''\
def add_windows(ct, window_shape, axis, shape):
    """Return zeros of `shape` with each entry of the windows `ct`, which slid along `axis`, added at its position."""
    out = np.zeros(shape, np.float32 if ct.dtype == np.float16 else ct.dtype)
    windows = np.lib.stride_tricks.sliding_window_view(out, window_shape, axis, writeable=True)
    for place in np.ndindex(window_shape):
        windows[(..., *place)] += ct[(..., *place)]
    return out.astype(ct.dtype, copy=False)
''',
    "argpartition": '''\
def argpartition(x, kth, axis):
    """Call np.argpartition with several kth; jax.numpy, whose arrays have `at`, takes only one, so all are sorted."""
    if hasattr(np.zeros(1), "at"):
        return np.argsort(x, axis=axis)
    return np.argpartition(x, kth, axis=axis)
''',
    "argselect": '''\
def argselect(x, ranks):
    """Return the positions of the entries with these `ranks` along the last axis; jax.numpy has to sort all entries."""
    order = np.argsort(x, axis=-1) if hasattr(np.zeros(1), "at") else np.argpartition(x, ranks, axis=-1)
    return order[..., np.array(ranks)]
''',
    "hypot_accumulate": '''\
def hypot_accumulate(x, axis):
    """Call np.hypot.accumulate, which jax.numpy, whose arrays have `at`, does not have."""
    hypot = np.frompyfunc(np.hypot, 2, 1) if hasattr(np.zeros(1), "at") else np.hypot
    return hypot.accumulate(x, axis=axis)
''',
    "einsum_by_path": '''\
def einsum_by_path(path, *args):
    """Call np.einsum in the order of `path`, which jax.numpy takes without its first word."""
    return np.einsum(*args, optimize=path[1:] if hasattr(np.zeros(1), "at") else path)
''',
    "packed": '''\
def packed(parts, stack):
    """Return several results for each matrix of a `stack` as one array: their entries, one result after another."""
    flat = []
    for part in parts:
        flat.append(np.reshape(part, (*stack, np.ones(part.shape[len(stack) :]).size)))
    return np.concatenate(flat, axis=-1)
''',
    "linear_recurrence": '''\
def linear_recurrence(b, a, axis):
    """Return y with y[k] = b[k] + a[k] * y[k + 1] along `axis`; every round doubles the number of terms."""
    y, a, step = np.moveaxis(b, axis, 0), np.moveaxis(a, axis, 0), 1
    while step < y.shape[0]:
        y = np.concatenate([y[:-step] + a * y[step:], y[-step:]])
        a, step = a[:-step] * a[step:], 2 * step
    return np.moveaxis(y, 0, axis)
''',
    "erf": '''\
def erf(x):
    """Return the error function, elementwise: below 1 by its Taylor series, else by the trapezoidal rule."""
    y = np.clip(np.asarray(x).astype(np.float64), -6, 6)
    square, series = y * y, 0.0
    for n in range(18, 0, -1):
        series = square / n * (1 / (2 * n + 1) - series)
    small = y + y * (0.12837916709551256 - 1.1283791670955126 * series)  # where 2/√π = 1.128…
    y = np.maximum(np.absolute(y), 1)
    square, total = y * y, 0.5 / (y * y)
    for n in range(1, 13):  # at multiples of 1/2
        total = total + np.exp(-n * n / 4) / (n * n / 4 + square)
    rest = y * np.exp(-square) * total / np.pi - 2 / np.expm1(4 * np.pi * y)
    return np.where(np.absolute(x) < 1, small, np.copysign(1 - rest, x)).astype(x.dtype)
''',
    "ndtr": '''\
def ndtr(x):
    """Return the normal distribution function, elementwise: near 0 by a Taylor series, else by the trapezoidal rule."""
    y = np.clip(np.asarray(x).astype(np.float64) / -np.sqrt(2), -30, 30)
    square, series = y * y, 0.0
    for n in range(18, 0, -1):
        series = square / n * (1 / (2 * n + 1) - series)
    small = 1 - y - y * (0.12837916709551256 - 1.1283791670955126 * series)  # where 2/√π = 1.128…
    z = np.maximum(np.absolute(y), 1)
    square, total = z * z, 0.5 / (z * z)
    for n in range(1, 13):  # at multiples of 1/2
        total = total + np.exp(-n * n / 4) / (n * n / 4 + square)
    rest = z * np.exp(-square) * total / np.pi - 2 / np.expm1(4 * np.pi * z) * (z < 6)
    return (0.5 * np.where(np.absolute(y) < 1, small, np.where(y > 0, rest, 2 - rest))).astype(x.dtype)
''',
    "check_array": '''\
def check_array(name, array, shape, dtype):
    """Raise ValueError unless `array` has the shape and dtype that the step was captured with."""
    if not hasattr(array, "dtype") or array.shape != shape or array.dtype != dtype:
        found = f"a {array.__class__.__name__}"
        if hasattr(array, "dtype"):
            found = f"of shape {array.shape} and dtype {array.dtype}"
        raise ValueError(
            f"{name} must be an array of shape {shape} and dtype {dtype}, not {found}. To save it for other "
            "shapes, call the step with such arrays first"
        )
''',
    "check_labels": '''\
def check_labels(labels, classes):
    """Raise ValueError unless all of the integers `labels` are in range(classes)."""
    bad = (labels < 0) | (labels >= classes)
    if bad.any():
        row = bad.argmax()
        raise ValueError(
            f"the label at row {row} is {labels[row]}, but {classes} classes are numbered 0 to {classes - 1}"
        )
''',
    "check_entries": '''\
def check_entries(picked, count):
    """Raise ValueError unless all of `picked`, the entry to pick in each row, are in range(count)."""
    bad = (picked < 0) | (picked >= count)
    if bad.any():
        row = bad.argmax()
        raise ValueError(
            f"entry {picked[row]} is out of range in row {row}: the {count} entries of a row are numbered 0 to "
            f"{count - 1}; write index % {count} to count from the end"
        )
''',
    "check_probabilities": '''\
def check_probabilities(rows):
    """Raise ValueError unless each of `rows` has no negative entry and sums to 1, to within 0.01."""
    bad = (rows < -0.01).any(axis=1) | ~(np.absolute(rows.sum(axis=1) - 1) <= 0.01)
    if bad.any():
        row = bad.argmax()
        raise ValueError(
            f"class probabilities must be nonnegative and sum to 1, but row {row} is {rows[row].tolist()}"
        )
''',
}
"""The source of each function, by its name."""

BUILTINS = frozenset({"ValueError", "dict", "hasattr", "len", "range"})
"""The built-in names that are used by helpers and by the loop at the beginning of a saved program."""
