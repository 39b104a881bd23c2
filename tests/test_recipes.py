"""The short recipes of the page "Train your own" compute what the page says, in eager and in captured steps."""

import ast
import copy
import json
import re
from pathlib import Path

import numpy as np
import pytest

import autograd_spiral
from autograd_spiral import SGD, Tensor, capture, dropout_mask, grad

PAGE = (Path(__file__).parents[1] / "docs" / "train_your_own.md").read_text(encoding="utf-8")
BLOCKS = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
RECIPES = PAGE.partition("### Short recipes")[2].partition("\n## ")[0]


@pytest.fixture
def page():
    """The names of the page's program, with random data instead of images, and without its training."""
    program = ast.parse(BLOCKS.search(PAGE)[1])
    program.body = [part for part in program.body if isinstance(part, ast.FunctionDef) and part.name != "step"]
    rng = np.random.default_rng(0)
    names = {name: getattr(autograd_spiral, name) for name in autograd_spiral.__all__}
    names |= {
        "np": np,
        "rng": rng,
        "X": rng.random((700, 64)),
        "y": rng.integers(10, size=700),
        "train": np.arange(700),
    }
    exec(compile(program, "train_your_own.md", "exec"), names)
    names["net"] = names["new_net"](64, 100, 10)
    names["optimizer"] = SGD(names["net"], 0.1)
    return names


def run(beginning, names):
    """Run the recipe whose text has this beginning; return the names."""
    exec(BLOCKS.search(RECIPES, RECIPES.index(f"**{beginning}"))[1], names)
    return names


def arrays_of(tensors):
    return {name: tensor.data for name, tensor in tensors.items()}


@pytest.mark.parametrize("captured", [False, True])
def test_averages_follow_the_parameters(page, captured):
    names = run("An average of the parameters", page)
    net, average = names["net"], names["average"]
    expected = arrays_of(average)

    def step(X, y):
        names["optimizer"].update(grad(names["loss_of"](net, X, y, 1.0), net))
        names["update_average"](0.9)

    step = capture(step) if captured else step
    for _ in range(3):
        step(page["X"], page["y"])
        expected = {name: 0.9 * expected[name] + 0.1 * p.data for name, p in net.items()}
    for name, tensor in average.items():
        np.testing.assert_allclose(tensor.data, expected[name], atol=1e-12)
        assert tensor.is_leaf
        assert not np.allclose(tensor.data, net[name].data, atol=1e-12)


def test_the_mean_of_the_gradients_of_batches_is_that_of_all_rows(page):
    net = page["net"]
    before, whole = arrays_of(net), grad(page["loss_of"](net, page["X"], page["y"], 1.0), net)
    assert len(run("Gradients of several batches", page)["parts"]) == 2
    for name, p in net.items():
        np.testing.assert_allclose(p.data, before[name] - 0.1 * whole[name].data, atol=1e-12)


def test_a_frozen_part_does_not_change(page):
    net = page["net"]
    before = arrays_of(net)
    run("A frozen part", page)
    assert {name for name, p in net.items() if not np.array_equal(p.data, before[name])} == {"W2", "b2"}
    assert page["decoded"].shape == (700, 64)
    assert grad(np.sum(page["decoded"]), net["W1"]).data.any()


@pytest.mark.parametrize("captured", [False, True])
def test_batch_normalization_keeps_running_averages(page, captured):
    names = run("Batch normalisation", page)
    batch_norm = capture(names["batch_norm"]) if captured else names["batch_norm"]
    mean, var = np.zeros(100), np.ones(100)
    for i in range(3):
        h = i + (i + 1) * page["rng"].standard_normal((30, 100))
        out = np.asarray(batch_norm(h, True))
        np.testing.assert_allclose(out.mean(axis=0), 0, atol=1e-9)
        np.testing.assert_allclose(out.std(axis=0), 1, atol=1e-3)
        mean, var = 0.9 * mean + 0.1 * h.mean(axis=0), 0.9 * var + 0.1 * h.var(axis=0)
    np.testing.assert_allclose(names["running"]["mean"].data, mean, atol=1e-12)
    np.testing.assert_allclose(names["running"]["var"].data, var, atol=1e-12)
    expected = (h - mean) / np.sqrt(var + 1e-5)
    np.testing.assert_allclose(np.asarray(batch_norm(h, False)), expected, atol=1e-9)


def test_weights_of_classes_and_ignored_rows_give_a_weighted_mean(page):
    names = run("Class weights", page)
    kept = names["labels"] != -100
    assert 0 < kept.sum() < 700
    scores, labels = names["scores_of"](names["net"], page["X"]).data[kept], names["labels"][kept]
    log_p = scores - np.log(np.sum(np.exp(scores), axis=1, keepdims=True))
    weights = np.linspace(1, 2, 10)[labels]
    expected = -np.sum(weights * log_p[np.arange(len(labels)), labels]) / np.sum(weights)
    np.testing.assert_allclose(names["loss"].item(), expected, rtol=1e-12)


@pytest.mark.parametrize("captured", [False, True])
def test_tables_of_learning_rates_are_followed(page, captured):
    names = run("A table of learning rates", page)
    for optimizer, rates in (
        (names["by_table"], [0.01, 0.01, 0.005, 0.001, 0.001, 0.001]),
        (names["by_points"], [0.0, 0.0001, 0.0002, 0.0003, 0.0004, 0.0005]),
    ):
        update = capture(optimizer.update) if captured else optimizer.update
        used = []
        for _ in rates:
            update({name: np.ones(p.shape) for name, p in page["net"].items()})
            used.append(float(optimizer.learning_rate))
        np.testing.assert_allclose(used, rates, atol=1e-15)


def test_a_restored_run_goes_on_with_the_same_losses(page, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    names = run("A table of learning rates", page)
    X, y, rng, net = page["X"], page["y"], page["rng"], page["net"]

    def epoch():
        losses = []
        for some_X, some_y in names["batches"](rng, 350, X, y):
            loss = names["loss_of"](net, some_X, some_y, dropout_mask(rng, (350, 100), 0.2))
            names["by_points"].update(grad(loss, net))
            losses.append(loss.item())
        return losses

    epoch()
    saved = copy.deepcopy(rng.bit_generator.state)
    run("To stop training and continue later", names)
    expected = epoch()
    assert rng.bit_generator.state != saved
    restoring = BLOCKS.search(RECIPES, RECIPES.index("**To stop training"))[1].partition("\n\nsaved = ")[2]
    exec(f"saved = {restoring}", names)
    assert rng.bit_generator.state == saved
    assert json.loads(json.dumps(saved)) == saved
    assert epoch() == expected
    assert all(type(tensor) is Tensor for tensor in net.values())


# --- SciPy and HIPS autograd ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["BFGS", "L-BFGS-B", "CG", "TNC", "SLSQP", "trust-constr", "Newton-CG"])
def test_scipy_minimizes_a_captured_function_as_it_does_the_original_one(method):
    optimize = pytest.importorskip("scipy.optimize")
    recipe = next(block for block in BLOCKS.findall(PAGE) if "capture(value_and_grad(rosenbrock))" in block)
    assert recipe.count('"L-BFGS-B"') == 1
    names = {name: getattr(autograd_spiral, name) for name in autograd_spiral.__all__} | {"np": np}
    # Not Rosenbrock's function, on whose long way the methods multiply a difference in the last digit.
    names["rosenbrock"] = lambda x: np.sum(np.cosh(x - np.arange(4.0))) + x[0] * x[1]
    names["minimize"] = optimize.minimize
    exec(recipe.replace("L-BFGS-B", method), names)
    eager = names["value_and_grad"](names["rosenbrock"])
    expected = optimize.minimize(eager, np.zeros(4), jac=True, method=method).x
    assert type(names["x"]) is np.ndarray
    np.testing.assert_allclose(names["x"], expected, rtol=1e-6)
    np.testing.assert_allclose(eager(names["x"])[1], 0, atol=1e-2)  # as their stopping rules allow


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [("hessian_vector_product(f)(x, v)", [18.0, 12.0]), ("make_vjp(f)(x); pull_back(ct)", [6.0, 24.0])],
)
def test_products_are_arrays_as_in_hips_autograd(theirs, expected):
    ours = re.search(rf"{re.escape(theirs)}` \| `(.*)` \|$", PAGE, re.MULTILINE)[1]
    names = {"f": lambda x: np.sum(x**3), "x": np.array([1.0, 2.0]), "v": np.array([3.0, 1.0]), "ct": 2.0}
    before, _, last = ours.rpartition("; ")
    exec(before, names | vars(autograd_spiral), names)
    result = eval(last, names | vars(autograd_spiral))
    assert type(result) is np.ndarray
    np.testing.assert_allclose(result, expected)
