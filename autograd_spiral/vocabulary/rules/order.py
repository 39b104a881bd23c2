"""The order of entries: where the largest and the smallest are."""

from __future__ import annotations

import numpy as np

from autograd_spiral.engine.table import define
from autograd_spiral.vocabulary import signatures

for search in (np.argmax, np.argmin):
    define(search, None, bind=signatures.search)
define(np.argsort, None, bind=signatures.argsort)
define(np.searchsorted, None, None, bind=signatures.searchsorted)
