"""Names that Tensors and the package lack: what the error says to write instead works."""

import copy
import io
import operator
import pickle
import re
import sys

import numpy as np
import pytest

import autograd_spiral
from autograd_spiral import Tensor, blame, capture, grad, no_grad
from autograd_spiral.engine.messages import MissingNames
from autograd_spiral.engine.table import COMPOSITIONS, PRIMITIVES
from autograd_spiral.errors import GradientError, InPlaceError, LostGraphError, ShapeError
from autograd_spiral.other_libraries.names import ON_THE_PACKAGE, instead_on_the_package
from autograd_spiral.vocabulary import functions

MISSING = sorted(name for name in vars(MissingNames) if not name.startswith("__") and not hasattr(Tensor([1.0]), name))


def said(name, tensor=None):
    with pytest.raises(AttributeError) as caught:
        getattr(Tensor([1.0]) if tensor is None else tensor, name)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("relu", "write relu(t), from autograd_spiral"),
        ("softmax", "write softmax(t), from autograd_spiral"),
        ("softmax_cross_entropy", "write softmax_cross_entropy(t, …), from autograd_spiral"),
        ("erf", "write erf(t), from autograd_spiral"),
        ("exp", "write np.exp(t)"),
        ("abs", "write np.abs(t)"),
        ("pow", "write np.pow(t, …)"),
        ("norm", "write np.linalg.norm(t)"),
        ("matmul", "write np.matmul(t, …)"),
        ("view", "write t.reshape(…)"),
        ("permute", "write t.transpose(…)"),
        ("unsqueeze", "write np.expand_dims(t, axis)"),
        ("zero_grad", "write t.grad = None"),
        ("half", "write t.astype(np.float16)"),
        ("chunk", "write np.array_split(t, sections)"),
        ("index_select", "write np.take(t, indices, axis)"),
        ("det", "write np.linalg.det(t)"),
        ("relu_", "a recorded value never changes: write t = t + … for a new value, or t.assign(…) to update a leaf"),
        (
            "register_hook",
            "write grad(loss, t), which returns the gradient of any tensor, and change it before you use it",
        ),
        (
            "requires_grad_",
            "write Tensor(data, requires_grad=True), or leave a tensor out of grad(loss, …) and of the optimizer to "
            "freeze it",
        ),
        ("cpu", "leave it out; values are always NumPy arrays in main memory"),
    ],
)
def test_a_name_of_another_library_says_what_to_write(name, instead):
    assert said(name) == f"Tensor has no {name!r}: {instead}"


def test_every_function_with_a_rule_is_a_method_or_has_a_hint():
    known = {name for name, value in vars(np).items() if callable(value) and value in PRIMITIVES.keys() | COMPOSITIONS}
    assert len(known) > 90
    for name in known | set(functions.__all__):
        assert hasattr(Tensor, name) or name in MISSING, name


@pytest.mark.parametrize("name", MISSING)
def test_what_a_hint_says_to_write_runs(name):
    instead = re.split(r", (?:from|which|or|with|outside) ", said(name).partition(": write ")[2])[0]
    if not instead or "…" in instead:
        return
    if "scipy" in instead:
        pytest.importorskip("scipy.special")
    leaf = Tensor([0.5, 0.25], requires_grad=True)
    names = {
        **vars(functions),
        **vars(autograd_spiral),
        "np": np,
        "data": [0.5],
        "other": np.eye(2),
        **{"x": np.eye(2), "y": np.eye(2)},
        "axis": 0,
        "shape": (2, 1) if name == "unflatten" else (3, 2),
        "indices": np.array([1]),
        "min": 0.0,
        "max": 1.0,
        "mask": np.array([True, False]),
        "condition": np.array([True, False]),
        "value": 0.0,
        "dtype": np.float32,
        "loss": leaf.sum(),
        "scipy": sys.modules.get("scipy"),
        "rng": np.random.default_rng(0),
        "file": io.BytesIO(),
        **{"b": 1.0, "sections": 2, "weight": 0.5, "values": np.ones(1), "repeats": 2, "size": 1, "index": 0},
        **{"k": 1, "start": 0, "length": 1, "source": 0, "destination": 0, "other_axis": 0},
    }
    square = ("einsum", "fliplr", "inverse", "logdet", "pinverse", "reshape_as", "rot90", "view_as")
    t = Tensor(np.eye(2)) if name in square or name in vars(np.linalg) else leaf
    t = Tensor(np.eye(4).reshape(2, 2, 2, 2)) if name == "tensorinv" else t
    if name in ("bitwise_count", "bitwise_invert", "bitwise_not", "invert"):
        t = Tensor([True, False])
    with np.errstate(all="ignore"):
        exec(instead, names | {"t": t})


def test_names_with_a_hint_are_not_attributes():
    t = Tensor([1.0, 2.0], requires_grad=True)
    assert not any(hasattr(t, name) or hasattr(Tensor, name) for name in MISSING)
    assert set(dir(t)).isdisjoint(MISSING)
    assert {"sum", "reshape", "data", "_value", "__add__"} <= set(dir(t))
    assert getattr(t, "relu", None) is None
    with pytest.raises(AttributeError):
        t.relu = 3


@pytest.mark.parametrize(
    "name",
    [
        "gard",
        "_repr_html_",
        "__array_interface__",
        "__array_struct__",
        "__array_priority__",
        "__cuda_array_interface__",
    ],
)
def test_other_names_and_protocols_raise_pythons_error(name):
    assert said(name) == f"'Tensor' object has no attribute {name!r}"


def test_hints_do_not_replace_methods():
    t = Tensor([[1.0, 2.0]], requires_grad=True)
    assert (t.sum().item(), t.reshape(2).shape, t.dot([1.0, 1.0]).item()) == (3, (2,), 3)


def test_copies_and_conversions_work_with_hints():
    t = Tensor([1.0, 2.0], name="t")
    for twin in (copy.copy(t), copy.deepcopy(t), pickle.loads(pickle.dumps(t))):
        assert (twin.name, twin.data.tolist()) == ("t", [1, 2])
    assert np.asarray(t).tolist() == [1, 2]
    assert np.array([t, t]).shape == (2, 2)


@pytest.mark.parametrize(("name", "last"), [("abs", "np.abs(t)"), ("argma", "Did you mean: 'argmax'?")])
def test_python_suggests_another_name_only_where_there_is_no_hint(name, last, capsys):
    with pytest.raises(AttributeError) as caught:
        getattr(Tensor([1.0]), name)
    sys.__excepthook__(caught.type, caught.value, caught.tb)  # what the interpreter prints, suggestions included
    assert capsys.readouterr().err.strip().endswith(last)


# --- calls in the manner of other libraries ---------------------------------------------------------------------------

METHODS = ["sum", "mean", "max", "min", "prod", "var", "std", "all", "any", "argmax", "argmin", "argsort", "cumsum"]


@pytest.mark.parametrize("method", [*METHODS, "cumprod", "squeeze"])
def test_a_method_with_pytorchs_keywords_says_which_are_numpys(method):
    t = Tensor(np.ones((1, 2)), requires_grad=True)
    with pytest.raises(TypeError, match=r"argument 'dim': write axis= instead of dim=$"):
        getattr(t, method)(dim=0)
    with pytest.raises(TypeError, match=r"argument 'keepdim': write keepdims= instead of keepdim=$"):
        getattr(t, method)(0, keepdim=True)
    with pytest.raises(TypeError, match=r"argument 'axes'(\. Did you mean 'axis'\?)?$"):  # Python 3.13 asks
        getattr(t, method)(axes=0)
    assert isinstance(getattr(t, method)(axis=0), Tensor)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda t: t.sum().backward(retain_graph=True), TypeError, "'retain_graph': leave it out, since a graph stays"),
        (lambda t: t.sum().backward(create_graph=True), TypeError, "write grad(loss, parameters, create_graph=True)"),
        (lambda t: t.backward(gradient=t), TypeError, "write cotangent= instead of gradient="),
        (lambda t: t.backward(axis=1), TypeError, "backward() got an unexpected keyword argument 'axis'"),
        (lambda t: grad(t.sum(), t, retain_graph=True), TypeError, "'retain_graph': leave it out, since a graph"),
        (lambda t: grad(t, t, grad_outputs=t), TypeError, "write cotangents= instead of grad_outputs="),
        (lambda t: Tensor([1.0], dtype=np.float32), TypeError, "'dtype': write Tensor(np.asarray(data, dtype))"),
        (lambda t: setattr(t, "requires_grad", False), GradientError, "to freeze a parameter, leave it out of grad("),
        (lambda t: operator.iadd(t, 1.0), InPlaceError, "To add up losses, add numbers, as in total += float(loss)"),
        (lambda t: operator.iadd(np.ones(2), t), InPlaceError, "and so would a += t with an array a"),
        (lambda t: grad(np.float64(1.0), t), TypeError, "Tensors, not float64, which has no graph, like all"),
        (lambda t: grad([np.ones(2)], t), TypeError, "np.stack([t, …]) instead of filling an array"),
        (lambda t: grad(t.sum(), np.ones(2)), TypeError, "write Tensor(array, requires_grad=True), or value_and_grad("),
        (lambda t: setattr(t, "grad", 0), ShapeError, "of shape (2,) to shape (): to clear it, write t.grad = None"),
        (lambda t: t in [t + 1, t], ShapeError, "to look for a tensor in a list, write any(x is t for x in list)"),
        (lambda t: [t + 1, t].index(t), ShapeError, "write any(x is t for x in list)"),
        (lambda t: np.testing.assert_equal(t, t + 1), ShapeError, "np.testing.assert_equal needs arrays: pass t.data"),
        (lambda t: np.testing.assert_equal([t], [t]), ShapeError, "np.testing.assert_equal needs arrays: pass t.data"),
        (lambda t: operator.delitem(t, 0), InPlaceError, "write np.delete(t, index, axis) for a new value without it"),
        (lambda t: np.save(io.BytesIO(), {"W": t}), TypeError, "np.save saves arrays, and would pickle a dict or list"),
        (lambda t: np.savez(io.BytesIO(), {"W": t}), TypeError, "write np.savez(file, **net) for a dict of tensors"),
    ],
)
def test_calls_in_the_manner_of_others_say_what_to_write(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call(Tensor([1.0, 2.0], requires_grad=True))


@pytest.mark.parametrize("block", [no_grad, blame])
def test_blocks_must_be_called(block):
    with pytest.raises(TypeError, match=re.escape(f"write with {block.__name__}():")), block:
        pass
    with pytest.raises(TypeError, match=re.escape(f"write @{block.__name__}()")):
        block(lambda: None)


def test_nothing_is_recorded_inside_no_grad():
    with no_grad():
        assert not (2 * Tensor(1.0, requires_grad=True)).requires_grad


def test_a_function_of_scipy_that_takes_arrays_alone_is_named():
    special, stats = pytest.importorskip("scipy.special"), pytest.importorskip("scipy.stats")
    optimize = pytest.importorskip("scipy.optimize")
    t = Tensor([1.0, 2.0], requires_grad=True)
    for name, call in (("logpdf", stats.norm.logpdf), ("logsumexp", special.logsumexp)):
        with pytest.raises(LostGraphError, match=rf"^SciPy's {name} would silently drop .* pass t.data$"):
            call(t)
    np.testing.assert_array_equal(special.erf(t).data, special.erf(t.data))
    for call in (lambda: np.asarray(t), lambda: optimize.minimize(lambda x: np.asarray(t).sum(), 0.0)):
        with pytest.raises(LostGraphError, match=r"^making a plain array would silently drop the graph of a tensor: "):
            call()
    with pytest.raises(
        LostGraphError, match=r"^SciPy's minimize .*: pass t\.data; .* value_and_grad\(function\) and jac="
    ):
        optimize.minimize(np.sum, t)


@pytest.mark.parametrize(
    ("call", "name", "remedy"),
    [
        (lambda t: np.mean([t, t]), "np.mean of a list", "pass np.stack([t, …]) instead of the list"),
        (
            lambda t: np.linalg.norm([t[0], t[1]]),
            "np.linalg.norm of a list",
            "pass np.stack([t, …]) instead of the list",
        ),
        (lambda t: np.save(io.BytesIO(), [t, t]), "np.save of a list", "pass np.stack([t, …]) instead of the list"),
        (lambda t: np.r_[t, t], "np.r_", "write np.concatenate([t, …])"),
        (lambda t: np.c_[t, t], "np.c_", "write np.column_stack([t, …])"),
        (lambda t: np.full((3, 2), t), "np.full", "write np.broadcast_to(t, shape)"),
        (lambda t: np.vectorize(abs)(t), "np.vectorize", "call the function itself, with NumPy's functions inside"),
        (lambda t: np.ma.array(t), "np.ma.array", "pass t.data"),
        (lambda t: np.testing.assert_allclose(t, 1.0), "np.testing.assert_allclose", "pass t.data"),
        (lambda t: np.testing.assert_array_less([t], 1.0), "np.testing.assert_array_less", "pass t.data"),
    ],
)
def test_a_function_of_numpy_that_takes_arrays_alone_says_what_to_write(call, name, remedy):
    with pytest.raises(LostGraphError) as caught:
        call(Tensor([1.0, 2.0], requires_grad=True))
    graph = "would silently drop the graph of a tensor"
    assert str(caught.value) in (f"{name} {graph}: {remedy}", f"{name} {graph}, since it takes only arrays: {remedy}")


def test_a_plot_of_tensors_says_how_to_get_their_values():
    figure = pytest.importorskip("matplotlib.figure")
    axes = figure.Figure().subplots()
    t = Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(LostGraphError, match=r"^Matplotlib's plot would silently drop .*: pass t\.data$"):
        axes.plot(t)
    with pytest.raises(
        LostGraphError, match=r": pass float\(t\), or \[float\(t\) for t in losses\] for a list of them$"
    ):
        axes.plot([t[0], t[1]])
    axes.plot([float(each) for each in (t[0], t[1])])


def test_a_table_of_pandas_says_how_to_get_its_array():
    t = Tensor([1.0, 2.0], requires_grad=True)
    library = {"__name__": "pandas.core.frame", "np": np}  # pandas itself need not be installed
    exec("def __matmul__(table, other): return table @ np.asarray(other)", library)
    with pytest.raises(
        LostGraphError, match=r"^pandas would silently drop .*: write df\.to_numpy\(\) .*, or t\.data for"
    ):
        library["__matmul__"](np.eye(2), t)


# --- on the package -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("nn", "a model is a dict, list or dataclass of tensors: write functions of it, as in "),
        ("AdamW", "write Adam(parameters, learning_rate, weight_decay=0.01)"),
        ("RMSprop", "keep the averages in Tensors, and write p.assign(p - step_size * dp) for "),
        ("DataLoader", "write batches(rng, size, X, y), and loop over it"),
        ("cross_entropy", "write softmax_cross_entropy(scores, labels)"),
        (
            "BatchNorm",
            "write (x - np.mean(x, axis=0)) / np.sqrt(np.var(x, axis=0) + 1e-5), and keep running statistics in ",
        ),
        ("checkpoint", "write capture(step, executor=blocks()), which keeps no large layers in memory"),
        (
            "tree_map",
            "write {name: f(p) for name, p in net.items()} for a dict; for other containers, named_parameters(",
        ),
        ("sgd", "write Adam(parameters) or SGD(parameters, learning_rate)"),
        ("adam", "write Adam(parameters) or SGD(parameters, learning_rate)"),
        ("manual_seed", "write rng = np.random.default_rng(seed), and draw all random numbers from it"),
        ("det", "write np.linalg.det(t)"),
        ("tanh", "write np.tanh(t)"),
        ("power", "write np.power(t, …)"),
        ("abs", "write np.abs(t)"),
        ("float32", "write np.float32"),
        ("tensor", "write Tensor(data, requires_grad=True)"),
        ("einsum", 'write np.einsum("ij,jk->ik", t, other)'),
        ("where", "write np.where(condition, t, other)"),
        ("unsqueeze", "write np.expand_dims(t, axis)"),
        ("vstack", "write np.vstack([t, …])"),
        ("round", "write np.round(t)"),
        ("pi", "write np.pi"),
    ],
)
def test_a_name_from_elsewhere_asked_of_the_package_says_what_to_write(name, instead):
    with pytest.raises(AttributeError, match=re.escape(f"autograd_spiral has no {name!r}: {instead}")):
        getattr(autograd_spiral, name)
    assert not hasattr(autograd_spiral, name)


@pytest.mark.parametrize("name", ["gard", "_value", "__path_to__", "linalg", "test"])
def test_other_names_asked_of_the_package_are_pythons_error(name):
    with pytest.raises(AttributeError, match=f"^module 'autograd_spiral' has no attribute '{name}'$"):
        getattr(autograd_spiral, name)


NO_CODE = ("a ", "an ", "the ", "functions of ", "import ", "from ", "p.assign", "np.savez", "W.assign")
"""How advice begins that is not code, or that another test runs."""


@pytest.mark.parametrize("text", sorted({text for text in ON_THE_PACKAGE.values() if "write " in text}))
def test_what_the_package_says_to_write_runs(text):
    end = r", (?:which|where|and|as|outside|then|when|with) |; |: (?:a|see) | for (?:a|each) "
    code = re.split(end, text.partition("write ")[2])[0]
    if "…" in code or code.startswith(NO_CODE):
        return
    if "xla()" in code:
        pytest.importorskip("jax")
    rng = np.random.default_rng(0)
    w, square = Tensor([0.5, -0.25], requires_grad=True), Tensor(np.eye(2), requires_grad=True)
    step = capture(lambda: 2 * w)
    step()
    names = {
        **{name: getattr(autograd_spiral, name) for name in autograd_spiral.__all__},
        **{"np": np, "t": w, "x": w, "data": [0.5], "seed": 0, "shape": (2,), "labels": np.array([1, 0])},
        **{"scores": w, "target": np.zeros(2), "prediction": w, "rate": 0.5, "step": step, "tangent": np.ones(2)},
        **{"X": np.ones((2, 2)), "rng": rng, "b": 1.0, "q": square, "k": square, "v": square, "d": w, "p": w + 1},
        **{"learning_rate": 0.1, "steps": 10, "gradients": [np.ones(2)], "max_norm": 1.0, "size": 2, "slope": 0.1},
        **{"function": np.sin, "loss": np.sum(w**2), "parameters": w, "W": w, "y": w * w, "classes": 2, "n": 2, "m": 3},
        **{"images": np.ones((2, 4, 4)), "table": square, "indices": [0, 1], "condition": True, "dtype": np.float32},
        **{"optimizer": autograd_spiral.SGD(w, 0.1), "net": {"w": w}, "f": np.sin, "arrays": [w], "limit": 1.0},
        "gradient": np.ones(2),
    }
    if "height" in code:
        names |= {"images": np.ones((2, 4, 4, 3)), "height": 4, "width": 4, "k": 3}
    if "softmax_cross_entropy" in code:
        names |= {"scores": square}
    if "q[" in code or "np.log(q)" in code:
        names |= {"q": w + 1}
    if "-k:]" in code:
        names |= {"k": 1}
    if "axis=-1" in code:
        names |= {"x": square, "y": square}
    exec(code + " pass" * code.endswith(":"), names)


@pytest.mark.parametrize("labels", [np.array([2, 0]), [2, 0]])
@pytest.mark.parametrize("captured", [False, True])
def test_one_hot_rows_are_as_the_package_says(labels, captured):
    code = instead_on_the_package("one_hot").partition("write ")[2].partition(";")[0]

    def made(labels):
        return eval(code, {"Tensor": Tensor, "np": np, "classes": 3, "labels": labels}) * 1.0

    assert (capture(made) if captured else made)(labels).data.tolist() == [[0, 0, 1], [1, 0, 0]]


@pytest.mark.parametrize("name", sorted(ON_THE_PACKAGE.keys() - {"testing"}))  # a module that hypothesis may bring
def test_importing_a_name_of_another_library_says_what_to_write(name):
    with pytest.raises(ImportError) as caught:
        exec(f"from autograd_spiral import relu, {name}", {})
    assert str(caught.value) == f"autograd_spiral has no {name!r}: {ON_THE_PACKAGE[name]}"
    assert not hasattr(autograd_spiral, name)


def test_importing_a_name_that_no_library_has_raises_pythons_own_error():
    with pytest.raises(ImportError, match="cannot import name 'gard'"):
        exec("from autograd_spiral import gard", {})


def test_functions_of_the_package_say_axis_and_keepdims_for_pytorchs_names():
    t = Tensor([[1.0, 2.0]], requires_grad=True)
    for x in (t, t.data):
        with pytest.raises(TypeError, match="'dim': write axis= instead of dim="):
            functions.softmax(x, dim=1)
    with pytest.raises(TypeError, match="write axis= instead of dim=, keepdims= instead of keepdim="):
        functions.logsumexp(t, dim=1, keepdim=True)
