"""Modes belong to one thread or task, and are restored however a block ends."""

import asyncio
import contextlib
import contextvars
import gc
import os
import sys
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from leaves import leaf

from autograd_spiral import Tensor, blame, no_grad
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


# --- decorated functions ----------------------------------------------------------------------------------------------


MODES = {
    "no_grad": (no_grad, lambda: not MODE.get().recording),
    "scope": (lambda: scope("S"), lambda: MODE.get().scope == ("S",)),
    "blame": (blame, lambda: MODE.get().observer is not None),
    "entering": (lambda: entering(constants=True), lambda: MODE.get().constants),
}


@pytest.fixture(params=MODES.values(), ids=MODES)
def mode(request):
    return request.param


def test_a_decorated_function_runs_inside_and_keeps_its_name(mode):
    block, inside = mode

    @block()
    def work(x, *, y):
        """Work."""
        return inside(), x + y

    assert (work.__name__, work.__doc__) == ("work", "Work.")
    for _ in range(2):
        assert work(1, y=2) == (True, 3)
        assert not inside()


def test_a_decorated_coroutine_function_runs_inside(mode):
    block, inside = mode

    @block()
    async def work(x):
        seen = [inside()]
        await asyncio.sleep(0)
        return [*seen, inside(), x]

    async def main():
        tasks = [asyncio.create_task(work(i)) for i in range(2)]
        await asyncio.sleep(0)
        assert not inside()
        return [await task for task in tasks]

    assert asyncio.run(main()) == [[True, True, 0], [True, True, 1]]
    assert not inside()


def test_a_decorated_generator_runs_inside_and_waits_outside(mode):
    block, inside = mode
    seen = []

    @block()
    def work():
        try:
            got = yield inside()
            with contextlib.suppress(KeyError):
                yield inside(), got
            yield "thrown", inside()
            return "end"
        finally:
            seen.append(inside())

    def items():
        seen.append((yield from work()))

    generator = items()
    assert next(generator) is True
    assert not inside()
    assert generator.send("sent") == (True, "sent")
    assert generator.throw(KeyError()) == ("thrown", True)
    assert not inside()
    assert list(generator) == []
    assert seen == [True, "end"]

    closed = work()
    next(closed)
    closed.close()
    assert seen == [True, "end", True]
    with pytest.raises(ZeroDivisionError):
        next(raising := block()(lambda: (1 / 0 for _ in "a"))())
    assert not inside()
    del raising


def test_an_asynchronous_generator_cannot_be_decorated(mode):
    with pytest.raises(TypeError, match=r"cannot decorate an asynchronous generator: write a with statement in items"):

        @mode[0]()
        async def items():
            yield 1


# --- the order in which blocks are left ---------------------------------------------------------------------------


def test_generators_closed_in_the_order_in_which_they_began_leave_nothing_on(mode):
    block, inside = mode

    def items():
        with block():
            yield inside()

    before, errors = MODE.get(), np.geterr()
    generators = [items() for _ in range(3)]
    assert all([next(generator) for generator in generators][:1])
    for generator in generators:
        generator.close()
    assert MODE.get() is before
    assert np.geterr() == errors


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["no_grad", "a", "b", "blame"]), st.integers(0, 5))))
def test_each_exit_takes_back_its_own_change_alone(steps):
    made = {"no_grad": no_grad, "a": lambda: scope("a"), "b": lambda: scope("b"), "blame": blame}
    before, errors = MODE.get(), np.geterr()
    entered = []
    for name, leaving in [*steps, *(("", 0) for _ in steps)]:
        if name and (leaving > 2 or not entered):
            block = made[name]()
            block.__enter__()
            entered.append((name, block))
        elif entered:
            entered.pop(leaving % len(entered))[1].__exit__(None, None, None)
        names = [name for name, _ in entered]
        assert MODE.get().recording is ("no_grad" not in names)
        assert MODE.get().scope == tuple(name for name in names if len(name) == 1)
        assert (MODE.get().observer is not None) is ("blame" in names)
        assert (np.geterr()["over"] == "ignore") is ("blame" in names)
    for _, block in entered:
        block.__exit__(None, None, None)
    assert MODE.get() is before
    assert np.geterr() == errors


def test_one_object_can_be_entered_again_and_within_itself_and_in_threads(mode):
    block, inside = mode[0](), mode[1]
    before = MODE.get()
    for _ in range(2):
        with block:
            first = MODE.get()
            with block:
                pass
            assert MODE.get() is first
            assert inside()
        assert MODE.get() is before
    seen = []
    barrier = threading.Barrier(2, timeout=10)

    def work():
        with block:
            barrier.wait()
            seen.append(inside())
        barrier.wait()
        seen.append(inside())

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == [False, False, True, True]


def test_a_task_that_was_started_inside_stays_inside_when_the_block_is_left(mode):
    block, inside = mode

    async def work():
        await asyncio.sleep(0)
        with scope("inner"), contextlib.suppress(ZeroDivisionError), no_grad():
            raise ZeroDivisionError
        gc.collect()
        return inside()

    async def main():
        with block():
            task = asyncio.create_task(work())
        assert not inside()
        return await task

    assert asyncio.run(main())


def test_a_block_that_was_entered_in_another_context_is_left_as_it_is(mode):
    block, inside = mode[0](), mode[1]
    before = MODE.get()
    contextvars.copy_context().run(block.__enter__)
    block.__exit__(None, None, None)
    assert MODE.get() is before
    assert not inside()


# --- interrupts -----------------------------------------------------------------------------------------------------


class Stop(BaseException):
    pass


def interrupted(number, work):
    """Run `work`, and raise `Stop` at the `number`-th event of the calls that are made in modes.py and blame.py.

    Python runs signal handlers when a function begins, and when a call of a function in C has returned.
    Returns whether there were so many events.
    """
    left = number

    def profile(frame, event, argument):
        nonlocal left
        ours = frame.f_code.co_filename.endswith((f"{os.sep}modes.py", f"{os.sep}blame.py"))
        if ours and event in ("call", "c_return"):
            left -= 1
            if left < 0:
                sys.setprofile(None)
                raise Stop

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        work()
    except Stop:
        return True
    finally:
        sys.setprofile(before)
    return False


def test_an_interrupt_leaves_no_mode_on(mode):
    block = mode[0]
    decorated = block()(lambda: None)

    def work():
        with scope("outer"), block():
            pass
        decorated()

    before, errors = MODE.get(), np.geterr()
    count = 0
    while interrupted(count, work):
        count += 1
        assert MODE.get() is before
        assert np.geterr() == errors
    assert count > 8
