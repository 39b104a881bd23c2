"""Modes belong to one thread or task, and are restored however a block ends."""

import asyncio
import contextlib
import threading

import numpy as np
import pytest
from leaves import leaf

from autograd_spiral import Tensor, no_grad
from autograd_spiral.engine.modes import MODE, Observer, entering, scope


def test_no_grad_records_nothing_and_ends():
    x = leaf([1, 2])
    with no_grad():
        y = x * 2
        made = leaf([1, 2])
    assert y.is_leaf
    assert not y.requires_grad
    assert y.data.tolist() == [2, 4]
    assert made.requires_grad
    assert (x * 2).requires_grad


def test_no_grad_decorates_functions_and_nests():
    x = leaf([1, 2])

    @no_grad()
    def scaled(depth):
        return scaled(depth - 1) if depth else x * 2

    for _ in range(2):
        assert not scaled(3).requires_grad
        assert (x * 2).requires_grad
    with no_grad():
        with no_grad():
            pass
        assert not (x * 2).requires_grad


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, GeneratorExit])
def test_modes_are_restored_after_errors(error):
    before = MODE.get()

    def interrupted():
        with no_grad(), entering(constants=True):
            assert (MODE.get().recording, MODE.get().constants) == (False, True)
            raise error

    with pytest.raises(error):
        interrupted()
    assert MODE.get() is before


def test_entering_changes_what_it_names_and_nothing_else():
    with no_grad(), entering(constants=True) as mode:
        assert (mode.recording, mode.constants) == (False, True)
    with pytest.raises(TypeError), entering(speed=2):
        pass


def test_constants_are_recorded_on_request():
    c = Tensor([1.0, 2.0])
    assert (c * 2).is_leaf
    with entering(constants=True):
        y = c * 2
    assert not y.is_leaf
    assert not y.requires_grad
    assert y.args == (c, 2)


def test_an_observer_sees_every_node_and_every_cotangent():
    class Log(Observer):
        def __init__(self):
            self.nodes, self.pieces = [], []

        def recorded(self, node):
            self.nodes.append(node)

        def swept(self, node, argument, ct, piece):
            self.pieces.append((node, argument, ct.tolist(), piece.tolist()))

    x, log = leaf([1, 2]), Log()
    with entering(observer=log):
        y = x * 3
        z = y.sum()
        z.backward()
    assert log.nodes == [y, z]
    assert log.pieces == [(z, 0, 1.0, [1, 1]), (y, 0, [1, 1], [3, 3])]
    z.backward()
    assert len(log.pieces) == 2


def test_no_grad_in_one_thread_leaves_the_others_recording():
    x = leaf(np.ones(3))
    inside, done = threading.Event(), threading.Event()
    seen = {}

    def without():
        with no_grad():
            inside.set()
            assert done.wait(10)
            seen["without"] = (x * 2).requires_grad

    def within():
        assert inside.wait(10)
        seen["with"] = all((x * i).requires_grad for i in range(100))
        done.set()

    threads = [threading.Thread(target=work) for work in (without, within)]
    for thread in threads:
        thread.start()
    assert inside.wait(10)
    seen["main"] = (x * 2).requires_grad
    for thread in threads:
        thread.join()
    assert seen == {"without": False, "with": True, "main": True}


def test_no_grad_in_one_task_leaves_the_others_recording():
    x = leaf([1, 2])
    seen = []

    async def without(turn):
        with no_grad():
            await turn.wait()
            seen.append(("without", (x * 2).requires_grad))

    async def within(turn):
        await asyncio.sleep(0)  # the other task is inside its block now
        seen.append(("with", (x * 2).requires_grad))
        turn.set()

    async def main():
        turn = asyncio.Event()
        await asyncio.gather(without(turn), within(turn))
        seen.append(("after", (x * 2).requires_grad))

    asyncio.run(main())
    assert seen == [("with", True), ("without", False), ("after", True)]


def test_a_task_inherits_the_mode_it_was_started_in():
    x = leaf([1, 2])

    async def work():
        return (x * 2).requires_grad

    async def main():
        with no_grad():
            task = asyncio.create_task(work())
        return await task, await work()

    assert asyncio.run(main()) == (False, True)


def test_scopes_nest_and_are_noted_on_operations_and_end_after_errors():
    x = leaf([1, 2])
    with scope("outer"):
        outer = x * 2
        with contextlib.suppress(ZeroDivisionError), scope("inner"):
            inner = outer + 1
            raise ZeroDivisionError
        with entering(constants=True), no_grad():
            assert MODE.get().scope == ("outer",)
        again = x * 3
    assert (outer.scope, inner.scope, again.scope) == (("outer",), ("outer", "inner"), ("outer",))
    assert (x * 2).scope == x.scope == ()


def test_unrecorded_results_are_leaves_without_a_scope():
    x = leaf([1, 2])
    with scope("S"), no_grad():
        unrecorded = x * 2
    with scope("S"):
        constant = x.detach() * 2
    for tensor in (unrecorded, constant):
        assert tensor.is_leaf
        assert tensor.scope == ()


@pytest.mark.parametrize(("name", "error"), [("", ValueError), (3, TypeError), (None, TypeError)])
def test_a_scope_needs_a_name(name, error):
    with pytest.raises(error, match="scope: the name must"), scope(name):
        pass
