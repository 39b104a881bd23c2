"""Hints for names that Tensors lack: what they say is true, and they change nothing else."""

import copy
import pickle
import sys

import numpy as np
import pytest

import autograd_spiral
from autograd_spiral import Tensor
from autograd_spiral.engine.missing import Hints
from autograd_spiral.engine.table import COMPOSITIONS, PRIMITIVES
from autograd_spiral.vocabulary import functions

HINTS = sorted(name for name in vars(Hints) if not name.startswith("__") and not hasattr(Tensor([1.0]), name))


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
        ("requires_grad_", "write Tensor(data, requires_grad=True)"),
        ("cpu", "leave it out; values are always NumPy arrays in main memory"),
    ],
)
def test_a_name_of_another_library_says_what_to_write(name, instead):
    assert said(name) == f"Tensor has no {name!r}: {instead}"


def test_every_function_with_a_rule_is_a_method_or_has_a_hint():
    known = {name for name, value in vars(np).items() if callable(value) and value in PRIMITIVES.keys() | COMPOSITIONS}
    assert len(known) > 90
    for name in known | set(functions.__all__):
        assert hasattr(Tensor, name) or name in HINTS, name


@pytest.mark.parametrize("name", HINTS)
def test_what_a_hint_says_to_write_runs(name):
    instead = said(name).partition(": write ")[2].partition(", from ")[0].partition(", which ")[0].partition(", or ")[0]
    if not instead or "…" in instead:
        return
    leaf = Tensor([0.5, 0.25], requires_grad=True)
    names = {
        **vars(functions),
        **vars(autograd_spiral),
        "np": np,
        "data": [0.5],
        "other": np.eye(2),
        "axis": 0,
        "shape": (3, 2),
        "indices": np.array([1]),
        "min": 0.0,
        "max": 1.0,
        "mask": np.array([True, False]),
        "condition": np.array([True, False]),
        "value": 0.0,
        "dtype": np.float32,
        "loss": leaf.sum(),
    }
    t = Tensor(np.eye(2)) if name in ("einsum", "matrix_transpose") else leaf
    if name in ("bitwise_invert", "bitwise_not", "invert"):
        t = Tensor([True, False])
    with np.errstate(all="ignore"):
        exec(instead, names | {"t": t})


def test_names_with_a_hint_are_not_attributes():
    t = Tensor([1.0, 2.0], requires_grad=True)
    assert not any(hasattr(t, name) or hasattr(Tensor, name) for name in HINTS)
    assert set(dir(t)).isdisjoint(HINTS)
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
