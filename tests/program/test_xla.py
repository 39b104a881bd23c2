"""XLA: the state stays on the device, dtypes are NumPy's, and errors are raised where NumPy would raise them."""

from __future__ import annotations

import copy
import os
import pickle
import random
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from alarms import alarms_call, is_interrupted, needs_timers
from captured import ONES, fork, leaf
from executors import needs_xla
from programs import assert_same, flat

import autograd_spiral
from autograd_spiral import CaptureError, Tensor, grad, primitive, softmax_cross_entropy, xla
from autograd_spiral.program.executor import interpret
from autograd_spiral.program.xla import leaves

pytestmark = needs_xla


def capture(step: Callable[..., Any], **options: Any) -> Any:
    return autograd_spiral.capture(step, executor=xla(), **options)


def descent(w: Tensor, **options: Any) -> Any:
    """A step that shrinks w towards its argument, and returns the loss."""

    def step(x: Any) -> Any:
        loss = np.sum(np.square(w - x))
        w.assign(w - 0.25 * grad(loss, w))
        return loss

    return capture(step, **options)


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The shapes of the arrays that came home."""
    found: list[Any] = []
    fetch = leaves.fetch
    monkeypatch.setattr(leaves, "fetch", lambda array: found.append(array.shape) or fetch(array))
    return found


# --- where arrays are -------------------------------------------------------------------------------------------------


def test_the_state_stays_on_the_device_until_it_is_read(fetched: list[Any]) -> None:
    w = leaf(8, 16)
    step = descent(w, verify=False)
    losses = [step(np.zeros(2)) for _ in range(4)]
    assert fetched == []
    assert_same([w.data, w.data], [[0.5, 1.0]] * 2, "state")
    assert fetched == [(2,)]
    assert [float(loss) for loss in losses] == [320.0, 80.0, 20.0, 5.0]
    assert fetched == [(2,), (), (), (), ()]
    step(np.zeros(2))
    assert len(fetched) == 5


def test_only_inputs_and_outside_arrays_are_sent() -> None:
    import jax

    w, outside = leaf(1, 2), np.array([1.0, 3.0])
    without, with_inputs = (
        capture(lambda: w.assign(2 * w), verify=False),
        capture(lambda x, y: w.assign(w + x * y * Tensor(outside)), verify=False),
    )
    without()
    with_inputs(ONES, ONES)
    ready = with_inputs._programs.last
    compiled, sent = ready._function, []
    function = compiled._function
    compiled._function = lambda *args: sent.extend(jax.tree.leaves(args)) or function(*args)
    with_inputs(ONES, ONES)
    assert [isinstance(array, np.ndarray) for array in sent] == [True, True, False, True]  # x, y, w, outside
    with jax.transfer_guard("disallow_explicit"):
        without()
        with pytest.raises(Exception, match="host-to-device"):
            with_inputs(ONES, ONES)
    assert_same([w.data], [[8.0, 20.0]], "state")


def test_programs_of_different_executors_share_their_leaves() -> None:
    w, v, eager = leaf(1, 2), leaf(3, -1), [leaf(1, 2), leaf(3, -1)]

    def step(w: Any, v: Any, x: Any) -> Any:
        loss = np.sum(np.tanh(w * v) * x)
        to_w, to_v = grad(loss, [w, v])
        w.assign(w - to_w)
        v.assign(v - to_v)
        return loss

    on_xla, other = (capture(lambda x: step(w, v, x)) for _ in range(2))
    on_numpy = autograd_spiral.capture(lambda x: step(w, v, x))
    rng = np.random.default_rng(0)
    for turn in rng.integers(0, 4, 40):
        x = rng.standard_normal(2)
        if turn == 3:
            w.assign(w + x)
            eager[0].assign(eager[0] + x)
            continue
        assert_same(flat([on_xla, other, on_numpy][turn](x)), flat(step(*eager, x)), "loss")
    assert_same([w.data, v.data], [part.data for part in eager], "state")


def test_what_is_away_can_be_used_as_any_leaf() -> None:
    w = leaf(1, 2, name="w")
    step = descent(w)
    loss = step(np.zeros(2))
    assert (w.shape, w.dtype, loss.shape) == ((2,), float, ())
    step(np.zeros(2))
    copies = [copy.copy(w), copy.deepcopy(w), pickle.loads(pickle.dumps(w))]
    assert_same(flat([*copies, w * 2]), [*3 * [[0.25, 0.5]], [0.5, 1.0]], "copies")
    step(np.zeros(2))
    before = w.detach()
    step(np.zeros(2))
    assert repr(before) == "Tensor([0.125, 0.25 ], name='w')"
    assert "0.0625, 0.125" in repr(w)
    (w * w).sum().backward()
    assert_same([w.grad], [[0.125, 0.25]], "gradient")
    assert not w.data.flags.writeable
    with pytest.raises(ValueError, match="WRITEABLE"):
        w.data.setflags(write=True)


def test_a_leaf_that_is_read_is_not_sent_again() -> None:
    import jax

    w = leaf(1, 2)
    step = capture(lambda: w.assign(2 * w), verify=False)
    step()
    with jax.transfer_guard("disallow_explicit"):
        assert_same([w.data], [[2.0, 4.0]], "state")
        step()
    w.assign(w + 1)
    with jax.transfer_guard_host_to_device("disallow_explicit"), pytest.raises(Exception, match="host-to-device"):
        step()
    step()
    assert_same([w.data], [[10.0, 18.0]], "state")


def test_inputs_may_be_overwritten_after_the_call() -> None:
    big = np.ones((300, 300))
    step = capture(lambda x: np.sum(x @ x @ x @ x))
    expected = float(step(big))
    for _ in range(5):
        x = big.copy()
        result = step(x)
        x[...] = -7
        assert float(result) == expected


def test_results_of_a_step_may_be_the_inputs_of_another() -> None:
    double, negative = capture(lambda x: 2 * x), capture(lambda x: -x)
    assert_same(flat(negative(double(ONES))), [-2 * ONES], "value")


# --- dtypes -----------------------------------------------------------------------------------------------------------


def test_float64_stays_float64_and_the_users_setting_as_it_is() -> None:
    import jax

    step = capture(lambda x: (x / 3, x.astype(np.float32) / 3, np.arange(2) + x.astype(int)))
    for result, dtype in zip(step(ONES), (np.float64, np.float32, np.int64), strict=True):
        assert result.dtype == dtype
    assert_same(flat(step(ONES)[0]), [ONES / 3], "to the last bits")
    assert not jax.config.jax_enable_x64
    assert jax.numpy.ones(2).dtype == np.float32


@pytest.mark.parametrize("first", [np.int64, np.int32, np.uint8, bool, np.float16, np.float32, np.float64])
@pytest.mark.parametrize("second", [np.int8, np.uint64, bool, np.float32])
def test_promotion_is_numpys(first: Any, second: Any) -> None:
    x, y = np.array([1, 0, 3]).astype(first), np.array([2, 1, 1]).astype(second)

    def step(x: Any, y: Any) -> Any:
        return x * y, x > y, np.where(x > 0, x, y), np.concatenate([x, y]), np.arctan2(x, y), x * 2, y * 0.5, x.sum()

    assert_same(flat(capture(step)(x, y)), flat(step(Tensor(x), Tensor(y))), "value")


def test_products_that_overflow_on_the_way_are_not_reordered() -> None:
    with np.errstate(over="ignore"):
        (value,) = flat(capture(lambda x: x * 1e200 * 1e200)(np.array([0.0, 1.0])))
    assert_same([value], [[0.0, np.inf]], "value")


def test_division_of_integers_by_zero_is_numpys() -> None:
    def step(x: Any, y: Any) -> Any:
        return x // y, x % y, np.fmod(x, y)

    x, y = np.array([7, -7, 0, 5]), np.array([0, 0, 0, -3])
    with np.errstate(all="ignore"):
        assert_same(flat(capture(step)(x, y)), flat(step(Tensor(x), Tensor(y))), "value")


@needs_timers
def test_an_interrupt_at_any_moment_leaves_the_users_setting_as_it_was() -> None:
    import jax

    step, rng, interrupted = capture(lambda x: x / 3, verify=False), random.Random(0), 0
    step(ONES)
    with alarms_call(signal.default_int_handler):
        for _ in range(2000):
            interrupted += is_interrupted(rng.uniform(1e-6, 2e-4), lambda: [step(ONES) for _ in range(9)])
            assert not jax.config.jax_enable_x64
    assert interrupted > 100


# --- what NumPy refuses -----------------------------------------------------------------------------------------------

REFUSED: dict[str, tuple[Callable[..., Any], Any, Any, type[Exception], str]] = {
    "an index": (lambda w, i: w[i], [0, 1], [0, 2], IndexError, "index 2 is out of bounds for axis 0 with size 2"),
    "an index from the end": (lambda w, i: w[i], [0, -2], [0, -3], IndexError, "index -3 is out of bounds"),
    "a computed index": (lambda w, i: w[i - 1], [0, 1], [0, 3], IndexError, "index 2 is out of bounds"),
    "an index after others": (
        lambda w, i: np.stack([w, w, w])[None][..., i, 0],
        [2, 1],
        [0, 3],
        IndexError,
        "index 3 is out of bounds for axis 1 with size 3",
    ),
    "a label": (lambda w, i: softmax_cross_entropy(w * np.ones((2, 2)), i), [0, 1], [0, 2], ValueError, "row 1 is 2"),
    "a computed label": (
        lambda w, i: softmax_cross_entropy(w * np.ones((2, 2)), i + 1),
        [0, -1],
        [0, 1],
        ValueError,
        "row 1 is 2",
    ),
    "an exponent": (lambda w, i: 2**i + w, [0, 1], [0, -1], ValueError, "negative integer powers"),
    "a choice": (lambda w, i: np.choose(i, [w, 2 * w]), [0, 1], [0, 2], ValueError, "invalid entry in choice array"),
    "a matrix": (
        lambda w, i: w @ np.linalg.inv(i * np.eye(2)),
        [1, 2],
        [1, 0],
        np.linalg.LinAlgError,
        "Singular matrix",
    ),
    "nothing but NaN": (
        lambda w, i: np.nanargmax(np.where(i == 0, w, np.nan)),
        [0, 1],
        [1, 1],
        ValueError,
        "All-NaN slice",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_numpy_refuses_raises_its_error_before_the_state_changes(name: str) -> None:
    function, good, bad, error, message = REFUSED[name]
    w = leaf(1, 2)

    def step(i: Any) -> Any:
        w.assign(w * 2)
        return function(w, i)

    captured = capture(step, verify=False)
    for _ in range(2):
        captured(np.array(good))
        before = w.data
        with pytest.raises(error, match=message):
            captured(np.array(bad))
        assert_same([w.data], [before], "state")
    assert_same([w.data], [[4.0, 8.0]], "state")


def test_an_index_that_is_state_is_checked() -> None:
    w, i = leaf(1, 2), Tensor([0, 1])
    step = capture(lambda: w[i].sum(), verify=False)
    assert float(step()) == 3
    i.assign([0, 5])
    with pytest.raises(IndexError, match="index 5 is out of bounds"):
        step()


def test_an_error_of_numpy_says_at_which_line() -> None:
    step = capture(lambda x: np.linalg.inv(x), verify=False)  # the line
    step(np.eye(2))
    with pytest.raises(np.linalg.LinAlgError) as caught:
        step(np.zeros((2, 2)))
    assert "the line" in caught.value.__notes__[0]


def test_what_only_might_have_raised_is_a_result() -> None:
    assert_same(flat(capture(lambda x: np.linalg.inv(x))(np.full((1, 1), np.nan))), [[[np.nan]]], "value")


# --- what XLA cannot run ----------------------------------------------------------------------------------------------


def test_an_operation_whose_equations_are_not_known_is_refused_at_capture() -> None:
    @primitive(lambda ct, out, x: ct)
    def opaque(x: Any) -> Any:
        return np.array([float(entry) for entry in x])

    w = leaf(1, 2)
    step = capture(lambda x: w.assign(opaque(x * w)))  # the line
    for _ in range(2):
        with pytest.raises(CaptureError, match=r"# the line\nopaque cannot run on XLA: its body .* capture\(step\)"):
            step(ONES)
    assert_same([w.data], [[1.0, 2.0]], "state")


@pytest.mark.skipif(np.dtype(np.longdouble).itemsize == 8, reason="long double is float64 here")
def test_numbers_of_more_than_64_bits_are_refused_at_capture() -> None:
    for x in (np.ones(2, np.longdouble), ONES):
        with pytest.raises(CaptureError, match=r"XLA has no float128: use float64"):
            capture(lambda x: np.exp(x.astype(np.longdouble)) * 2)(x)
    with pytest.raises(CaptureError, match=r"XLA has no float128: use float64"):
        capture(lambda x: x.T)(np.ones((2, 2), np.longdouble))


def test_devices_that_cannot_be_used_are_refused() -> None:
    import jax

    (device,) = jax.devices()[:1]
    for devices in ([], [device, device]):
        with pytest.raises(
            ValueError, match=r"xla takes devices that differ, not \[.*\]: pass some of jax.devices\(\)"
        ):
            xla(devices=devices)
    with pytest.raises(ValueError, match="devices or a mesh, not both"):
        xla(devices=[device], mesh=jax.sharding.Mesh(np.array([device]), ("rows",)))
    step = autograd_spiral.capture(lambda x: 2 * x, executor=xla(devices=[device]))
    assert_same(flat(step(ONES)), [2 * ONES], "value")


# --- threads, processes, interrupts -----------------------------------------------------------------------------------


def test_threads_read_while_others_train() -> None:
    w = Tensor(np.zeros(1000), requires_grad=True)
    step = capture(lambda x: w.assign(w + x), verify=False)
    step(np.ones(1000))
    wrong: list[Any] = []

    def train() -> None:
        for _ in range(50):
            step(np.ones(1000))

    def read() -> None:
        latest = 0.0
        for _ in range(100):
            value = w.data
            if value.min() != value.max() or value[0] < latest:
                wrong.append(value)
            latest = value[0]

    threads = [threading.Thread(target=work) for work in (train, train, read, read)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert_same([w.data], [np.full(1000, 101.0)], "state")


def test_an_interrupt_between_two_leaves_changes_neither() -> None:
    p, q = leaf(1, 2), leaf(3, 4)
    step = capture(lambda x: (p.assign(p + x), q.assign(q + x)), verify=False)
    step(ONES)
    memory = step._programs.last._run.memory
    before = [memory.take(part) for part in (p, q)]

    def interrupted() -> Any:
        yield before[1]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        memory.update([p, q], before, interrupted())
    assert_same([p.data, q.data], [[2.0, 3.0], [4.0, 5.0]], "state")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that are forked")
def test_a_forked_process_is_refused_and_not_stuck() -> None:
    w = leaf(1, 2)
    step = descent(w, verify=False)
    step(np.zeros(2))
    child = fork()
    if not child:
        status = 1
        try:
            for use in (lambda: step(np.zeros(2)), lambda: w.data, lambda: capture(lambda x: 2 * x)(ONES)):
                with pytest.raises(CaptureError, match="in a forked process"):
                    use()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert_same([w.data], [[0.5, 1.0]], "state")


# --- without JAX ------------------------------------------------------------------------------------------------------


def printed(code: str) -> str:
    """What a process prints that runs this code."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_jax_is_imported_when_xla_is_called_and_leaves_are_plain_until_then() -> None:
    code = """
import sys
from autograd_spiral import Tensor, capture, xla
import numpy as np
w = Tensor(1.0)
capture(lambda x: w * x)(np.ones(2))
print("jax" in sys.modules, type(Tensor.__dict__["_value"]).__name__)
xla()
print("jax" in sys.modules, type(Tensor.__dict__["_value"]).__name__, w.data)
"""
    assert printed(code).split() == ["False", "member_descriptor", "True", "property", "1.0"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that are forked")
def test_a_process_that_was_forked_before_xla_was_used_can_use_it() -> None:
    code = """
import os, sys
from autograd_spiral import capture, xla
import numpy as np
child = os.fork()
if child == 0:
    print(float(capture(lambda x: x.sum(), executor=xla())(np.ones(2))))
else:
    sys.exit(os.waitpid(child, 0)[1])
"""
    assert printed(code).split() == ["2.0"]


def test_without_jax_xla_says_what_to_install() -> None:
    code = """
import sys
sys.modules["jax"] = None
from autograd_spiral import xla
try:
    xla()
except ImportError as error:
    print(error)
"""
    assert "pip install 'autograd-spiral[xla]'" in printed(code)


def test_a_run_gives_arrays_for_arrays() -> None:
    w = leaf(1, 2)
    step = descent(w)
    step(np.zeros(2))
    run = xla()(step.program)
    arrays = [np.array([3.0, 4.0]), np.array([1.0, 2.0])]
    results = run(*arrays)
    assert all(type(result) is np.ndarray and not result.flags.writeable for result in results)
    assert_same(results, interpret(step.program)(*arrays), "results")


def test_the_example_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "pictures_and_programs.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python on_xla.py\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    exec(compile(code, "on_xla.py", "exec"), {})
    assert re.fullmatch(r"0\.9\d+ \(20,\)\n", capsys.readouterr().out)
