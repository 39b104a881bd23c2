"""Functions named on the command line: they are found and given inputs, or an error says what to write."""

import pytest

from autograd_spiral import check_gradients
from autograd_spiral.cli.named_function import UsageError, function_and_inputs


def test_functions_named_by_module(tmp_path, monkeypatch):
    (tmp_path / "mylosses.py").write_text(
        "import numpy as np\n"
        "from autograd_spiral import primitive\n"
        "def good(x, w):\n    return np.sum(np.tanh(x @ w))\n"
        "@primitive(lambda ct, out, x: ct * 3 * x)\n"
        "def bad(x):\n    return x * x\n"
        "constant = 3\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    def check(spec, shapes, order=1, **drawn):
        function, inputs = function_and_inputs(spec, shapes, **drawn)
        return check_gradients(function, *inputs, order=order, raise_on_mismatch=False)

    assert check("mylosses:good", "(3, 4), (4,)", order=2).ok
    assert check("mylosses:good", "(3,4),(4,)", dtype="float32").ok
    assert "1.50 × too large" in str(check("mylosses:bad", "3"))
    assert check("mylosses:bad", "()").ok is False
    with pytest.raises(UsageError, match="has no 'goood': did you mean good"):
        function_and_inputs("mylosses:goood", "3")
    with pytest.raises(UsageError, match="is a int, not a function"):
        function_and_inputs("mylosses:constant", "3")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_inputs_have_the_shapes_and_the_dtype_and_follow_the_seed(dtype):
    _, inputs = function_and_inputs("numpy:add", "(3, 4), (4,)", dtype=dtype, seed=1)
    assert [(x.shape, x.dtype) for x in inputs] == [((3, 4), dtype), ((4,), dtype)]
    _, again = function_and_inputs("numpy:add", "(3, 4), (4,)", dtype=dtype, seed=1)
    _, others = function_and_inputs("numpy:add", "(3, 4), (4,)", dtype=dtype, seed=2)
    assert (inputs[0] == again[0]).all()
    assert (inputs[0] != others[0]).any()


def test_whole_numbers_below_a_limit():
    spec = "autograd_spiral:softmax_cross_entropy"
    function, (scores, labels) = function_and_inputs(spec, "(50, 3), (50,) < 3")
    assert scores.dtype == "float64"
    assert labels.dtype.kind == "i"
    assert set(labels.tolist()) == {0, 1, 2}
    assert check_gradients(function, scores, labels).ok
    _, inputs = function_and_inputs(spec, "(5, 3), (5,) < 3", dtype="float32")
    assert [x.dtype.kind + str(x.itemsize) for x in inputs] == ["f4", "i8"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("nothing", "write module:function"),
        (":f", "write module:function"),
        ("m:", "write module:function"),
        ("no_such_module_here:f", "cannot import 'no_such_module_here'"),
    ],
)
def test_bad_names_say_what_to_write(spec, message):
    with pytest.raises(UsageError, match=message):
        function_and_inputs(spec, "(3,)")


@pytest.mark.parametrize(
    "shapes",
    [
        "",
        "(3",
        "(3, -1)",
        "'a'",
        "(3.5,)",
        "x",
        "[3]",
        "(True,)",
        "(3,) < 0",
        "(3,) > 2",
        "(3,) < x",
        "(3,) < 2 < 4",
        "(3,) < 2.0",
    ],
)
def test_bad_shapes_say_what_to_write(shapes):
    with pytest.raises(UsageError, match=r'as in "\(3, 4\), \(4,\)"'):
        function_and_inputs("numpy:tanh", shapes)


def test_other_dtypes_are_refused():
    with pytest.raises(UsageError, match="must be float64 or float32, not 'int64'"):
        function_and_inputs("numpy:tanh", "3", dtype="int64")
