"""Examples of the ufuncs of `scipy.special`, entered once SciPy was imported."""

from __future__ import annotations

import sys
from typing import Any

from autograd_spiral.gradcheck.examples.table import EXAMPLES, NONZERO, POSITIVE, REAL, UNIT, Domain, example
from autograd_spiral.vocabulary.rules.special import enter

__all__ = ["enter_examples"]

_DOMAINS: dict[str, Domain] = {
    **dict.fromkeys(("expit", "log_expit", "erf", "erfc", "erfcx", "i0", "i1", "ndtr", "log_ndtr"), REAL),
    **dict.fromkeys(("gammaln", "digamma", "entr"), POSITIVE),
    "logit": Domain(0.1, 0.9),
    "erfinv": UNIT,
    "i0e": NONZERO,
}


def enter_examples() -> None:
    """Enter the rows of `scipy.special` and examples of them, if it was imported.

    >>> enter_examples()
    """
    special: Any = sys.modules.get("scipy.special")
    enter()
    if special is None or special.expit in EXAMPLES:
        return
    for name, domain in _DOMAINS.items():
        example(getattr(special, name), domain(2, 3))
    example((special.xlogy, special.xlog1py), REAL(2, 3), POSITIVE(3))


enter_examples()
