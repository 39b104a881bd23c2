"""The engine alone, without the vocabulary: it differentiates whatever is entered in its table."""

import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "autograd_spiral"

BARE = f"""
import sys, types
package = types.ModuleType("autograd_spiral")  # in place of the package's own __init__, which enters the vocabulary
package.__path__ = [{str(PACKAGE)!r}]
sys.modules["autograd_spiral"] = package

import numpy as np
from autograd_spiral.engine.grad import grad
from autograd_spiral.engine.table import COMPOSITIONS, PRIMITIVES, composes, define
from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.errors import NoRuleError

assert not PRIMITIVES and not COMPOSITIONS
"""

TAUGHT = (
    BARE
    + """
x = Tensor([0.5, -2.0], requires_grad=True)
for call in (lambda: x + 1, lambda: 2 * x, lambda: -x, lambda: np.sin(x), lambda: x @ x, lambda: x[0], lambda: x.sum()):
    try:
        call()
    except NoRuleError as error:
        assert "has no gradient rule" in str(error)
    else:
        raise AssertionError("a bare engine knows no function")

define(np.sin, lambda ct, out, x: ct * np.cos(x))
define(np.cos, lambda ct, out, x: -(ct * np.sin(x)))
define(np.negative, lambda ct, out, x: -ct)
define(np.multiply, lambda ct, out, x, y: ct * y, lambda ct, out, x, y: ct * x)
define(np.add, lambda ct, out, x, y: ct, lambda ct, out, x, y: ct)

def f(x):
    return np.sin(x) * x + x * x

first = grad(f(x), x, np.ones(2), create_graph=True)
second = grad(first, x, np.ones(2), create_graph=True)
third = grad(second, x, np.ones(2))
v = x.data
np.testing.assert_allclose(first.data, np.cos(v) * v + np.sin(v) + 2 * v)
np.testing.assert_allclose(second.data, -np.sin(v) * v + 2 * np.cos(v) + 2)
np.testing.assert_allclose(third.data, -np.cos(v) * v - 3 * np.sin(v))

@composes(np.square)
def square(x):
    return x * x

np.testing.assert_allclose(grad(np.square(x), x, np.ones(2)).data, 2 * v)
"""
)

IMPORTED = (
    BARE
    + """
loaded = {name for name in sys.modules if name.startswith("autograd_spiral.")}
assert all(name == "autograd_spiral.errors" or name.startswith("autograd_spiral.engine") for name in loaded), loaded
"""
)


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_five_rules_are_enough_for_second_and_third_derivatives():
    run(TAUGHT)


def test_nothing_else_of_the_package_is_imported():
    run(IMPORTED)
