"""The functions at the beginning of printed texts compute what the package's functions compute."""

from __future__ import annotations

import dis
import math
from typing import Any

import numpy as np
import pytest
from captured import leaf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from programs import executed

from autograd_spiral import backward_source, capture, gelu
from autograd_spiral.engine.table import PRIMITIVES
from autograd_spiral.program.ir import Equation, Value
from autograd_spiral.program.passes.entries import check_entries
from autograd_spiral.program.printing.expressions import Text
from autograd_spiral.program.printing.helpers import BUILTINS, HELPERS
from autograd_spiral.program.printing.numpy_text import NUMPY
from autograd_spiral.vocabulary.functions import _ndtr, erf
from autograd_spiral.vocabulary.labels import check_labels, check_probabilities
from autograd_spiral.vocabulary.rules.indexing import scatter


def helper(name: str) -> Any:
    scope: dict[str, Any] = {"np": np}
    exec(HELPERS[name], scope)
    return scope[name]


def test_they_need_numpy_and_few_names_of_pythons() -> None:
    used = {
        instruction.argval
        for name in HELPERS
        for instruction in dis.get_instructions(helper(name))
        if instruction.opname == "LOAD_GLOBAL"
    }
    assert used == {"np", *BUILTINS} - {"dict"}  # which the loop of a saved program needs


# --- the error function ---------------------------------------------------------------------------------------------

POINTS = [
    0.0,
    -0.0,
    5e-324,
    1e-310,
    1.0,
    np.nextafter(1, 0),
    np.nextafter(1, 2),
    2.5,
    5.9,
    6.0,
    7.0,
    1e300,
    np.inf,
    np.nan,
]


def exact(x: Any) -> Any:
    return np.array([math.erf(float(entry)) for entry in x.ravel()]).reshape(x.shape).astype(x.dtype)


def test_erf_has_all_digits_but_the_last_of_the_c_librarys() -> None:
    rng = np.random.default_rng(0)
    small, large = 10.0 ** rng.uniform(-320, 3, 4000), rng.uniform(0, 6.5, 16000)
    x = np.concatenate([POINTS, small, large, np.linspace(0.99, 1.01, 4000)])
    for signed in (x, -x):
        with np.errstate(all="raise", under="ignore"):
            values, expected = helper("erf")(signed), exact(signed)
        assert np.array_equal(np.isnan(values), np.isnan(expected))
        known = ~np.isnan(expected)
        assert np.max(np.abs(values - expected)[known] / np.spacing(np.abs(expected[known]))) <= 2
        assert np.array_equal(np.signbit(values[known]), np.signbit(signed[known]))


def test_the_normal_distribution_function_is_that_of_the_package_far_to_the_left_too() -> None:
    x = np.concatenate([POINTS, np.negative(POINTS), np.linspace(-40, 9, 4000), np.linspace(-1.5, -1.3, 1000)])
    with np.errstate(all="raise", under="ignore"):
        values = helper("ndtr")(x)
    expected = _ndtr(x)
    np.testing.assert_allclose(values, expected, rtol=4e-16 * 900, atol=1e-300)
    near = np.abs(x) < 3
    np.testing.assert_allclose(values[near], expected[near], rtol=4e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_erf_of_narrow_dtypes_is_the_c_librarys(dtype: Any) -> None:
    x = np.random.default_rng(0).uniform(-6, 6, 10000).astype(dtype)
    assert np.array_equal(helper("erf")(x), exact(x))


@pytest.mark.parametrize("shape", [(), (1,), (0, 3), (2, 3, 4)])
def test_erf_keeps_shapes_and_dtypes(shape: Any) -> None:
    for dtype in (np.float64, np.float32, np.float16):
        value = helper("erf")(np.full(shape, 0.5, dtype))
        assert (value.shape, value.dtype) == (shape, dtype)
    assert helper("erf")(np.float32(0.5)) == np.float32(math.erf(0.5))


def test_exact_gelu_prints_forward_and_backward() -> None:
    w = leaf(0.5, -1.0, 3.0, name="w")
    loss = np.sum(gelu(w * 2) * [1.0, 2.0, 3.0])
    source = backward_source(loss, w)
    assert "ndtr(" in source
    assert "autograd" not in source
    loss.backward()
    value, dw = executed(source)(w.data)
    np.testing.assert_allclose(value, loss.data, rtol=1e-15)
    np.testing.assert_allclose(dw, w.grad, rtol=1e-14)


def test_the_text_of_gelu_runs_under_jax(jax: Any) -> None:
    step = capture(lambda x: gelu(x))
    x = np.linspace(-7, 7, 100)
    expected = step(x).data
    names: dict[str, Any] = {}
    exec(step.source.replace("import numpy as np", "import jax.numpy as np"), names)
    np.testing.assert_allclose(np.asarray(jax.jit(names["step"])(x)), expected, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("values", [[0, 1, 2], [True, False]])
def test_erf_of_other_dtypes_is_printed_as_it_is_computed(values: Any) -> None:
    w = leaf(1.0, 2.0, name="w")
    step = capture(lambda x: np.sum(erf(x)) * w)
    result = step(np.array(values)).data
    np.testing.assert_allclose(executed(step.source)(np.array(values), w.data), result, rtol=1e-14)


def test_erf_converts_first_where_its_result_has_another_dtype() -> None:
    x, y = Value((2,), np.dtype(int)), Value((2,), np.dtype(float))
    assert NUMPY.write(Equation(PRIMITIVES[erf], (x,), {}, y), [Text("-x", 3)]).text == "erf((-x).astype(np.float64))"
    assert NUMPY.write(Equation(PRIMITIVES[erf], (y,), {}, y), [Text("-x", 3)]).text == "erf(-x)"


# --- adjoints of indexing -------------------------------------------------------------------------------------------


def test_entries_that_are_added_up_and_entries_that_are_placed() -> None:
    ct = np.array([-0.0, 2.0, 3.0])
    rows = np.array([0, 0, 3])
    for name, index, arrays in (("scatter", (rows,), (rows,)), ("place", (slice(None, None, 2),), ())):
        template = ("array",) if arrays else index
        value = helper(name)(ct, index, (5,))
        expected = scatter(ct, *arrays, index=template, shape=(5,))
        assert np.array_equal(value, expected)
        assert np.array_equal(np.signbit(value), np.signbit(expected))


# --- checks ---------------------------------------------------------------------------------------------------------


def message_of(check: Any, *args: Any) -> str | None:
    """What a check says when it raises."""
    try:
        check(*args)
    except ValueError as error:
        return str(error)
    return None


INTEGERS = st.sampled_from([np.int8, np.uint8, np.int64, np.uint64])


@given(st.data(), INTEGERS, st.sampled_from([1, 3, 200, 300]))
def test_labels_are_valid_where_the_package_says_so(data: st.DataObject, dtype: Any, classes: int) -> None:
    limits = np.iinfo(dtype)
    near = st.integers(max(-2, int(limits.min)), 4) | st.sampled_from(
        [classes - 1, classes, int(limits.max), int(limits.min)]
    )
    labels = data.draw(
        hnp.arrays(dtype, st.integers(0, 5), elements=near.filter(lambda n: limits.min <= n <= limits.max))
    )
    for name, check in (("check_labels", check_labels), ("check_entries", check_entries)):
        said, expected = message_of(helper(name), labels, classes), message_of(check, labels, classes)
        assert (said is None) == (expected is None)
        if said is not None and expected is not None:
            assert said.split(":")[0].split(",")[0] == expected.split(":")[0].split(",")[0]  # the entry and its row


@given(hnp.arrays(float, (3, 2), elements=st.sampled_from([0.5, 0.505, 0.52, 0.0, 1.0, -0.005, -0.5, np.nan, np.inf])))
def test_probabilities_are_valid_where_the_package_says_so(rows: Any) -> None:
    assert message_of(helper("check_probabilities"), rows) == message_of(check_probabilities, rows)


@pytest.mark.parametrize(
    "given_array", [np.zeros((2, 3)), np.zeros(2, np.float32), np.zeros(2, int), [0.0, 0.0], 0.5, None]
)
def test_arrays_of_other_shapes_and_dtypes_are_refused_by_name(given_array: Any) -> None:
    check = helper("check_array")
    check("W", np.zeros(2), (2,), "float64")
    check("count", np.float64(3), (), "float64")  # as a text returns a state of one number
    with pytest.raises(ValueError, match=r"^W must be an array of shape \(2,\) and dtype float64, not "):
        check("W", given_array, (2,), "float64")
