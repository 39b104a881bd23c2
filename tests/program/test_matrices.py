"""Products and sums of arrays with several axes become products and sums of matrices, with the same results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view
from programs import assert_programs_agree, assert_same, functions_in, leaf, program_of

from autograd_spiral import grad
from autograd_spiral.program.evaluate import evaluate
from autograd_spiral.program.ir import Program, shape_of
from autograd_spiral.program.passes.pipeline import readable
from autograd_spiral.program.running.kernels.table import with_kernels
from autograd_spiral.program.running.matrices import with_matrices
from autograd_spiral.program.running.replay import generate, replay

RNG = np.random.default_rng(0)


def matrices_of(step: Callable[..., Any], *args: Any) -> Program:
    """The program of `step` with matrices, after checking that it computes the same, evaluated and replayed."""
    program = readable(program_of(step, *args))
    changed, expected = with_matrices(program), evaluate(program, *args)
    assert_same(evaluate(changed, *args), expected, "evaluated")
    for _ in range(2):
        assert_same(replay(program)(*args), expected, "replayed")
    return changed


@st.composite
def products(draw: st.DrawFn) -> tuple[str, dict[str, int]]:
    """Subscripts of a product of two arrays, with the length of each axis."""
    letters = draw(st.permutations("abcdef"))
    left, summed, right = letters[: draw(st.integers(0, 2))], letters[2 : draw(st.integers(3, 4))], letters[4:]
    right = right[: draw(st.integers(0, 2))]
    terms = [draw(st.permutations([*left, *summed])), draw(st.permutations([*summed, *right]))]
    result = draw(st.permutations([*left, *right]))
    subscripts = f"{''.join(terms[0])},{''.join(terms[1])}->{''.join(result)}"
    return subscripts, {letter: draw(st.integers(1, 4)) for letter in letters}


@given(products(), st.sampled_from([np.float64, np.float32]), st.booleans())
def test_a_product_by_einsum_is_one_of_matrices(
    product: tuple[str, dict[str, int]], dtype: Any, optimize: bool
) -> None:
    subscripts, sizes = product
    terms = subscripts.split("->")[0].split(",")
    args = [RNG.standard_normal([sizes[letter] for letter in term]).astype(dtype) for term in terms]
    program = matrices_of(lambda a, b: np.einsum(subscripts, a, b, optimize=optimize), *args)
    assert np.einsum not in functions_in(program)


@pytest.mark.parametrize(
    "subscripts", ["bij,bjk->bik", "ij,jk->i", "ii,ij->ij", "ij,kl->ijkl", "ij->ji", "ij,jk,kl->il", "ij,ij->ij"]
)
def test_other_products_stay(subscripts: str) -> None:
    args = [RNG.standard_normal((3,) * len(term)) for term in subscripts.split("->")[0].split(",")]
    program = matrices_of(lambda *args: np.einsum(subscripts, *args), *args)
    assert np.einsum in functions_in(program)


@pytest.mark.parametrize("shapes", [((2, 1), (2, 5, 1)), ((4, 3), (1, 5, 4)), ((1, 1), (3, 5, 4))])
def test_products_with_a_broadcast_axis_stay(shapes: tuple[tuple[int, ...], ...]) -> None:
    args = [RNG.standard_normal(shape) for shape in shapes]
    program = matrices_of(lambda a, b: np.einsum("kl,lik->i", a, b), *args)
    assert np.einsum in functions_in(program)


def test_products_of_integers_stay() -> None:
    a = np.arange(12).reshape(3, 4)
    assert np.einsum in functions_in(matrices_of(lambda a: np.einsum("ij,kj->ik", a, a), a))


@pytest.mark.parametrize("shape", [(5, 4, 3), (2, 5, 4, 3), (0, 4, 3), (5, 60, 3), (4, 3)])
def test_layers_on_several_axes_have_the_same_values_and_gradients(shape: tuple[int, ...]) -> None:
    W, b = leaf((3, 2)), leaf((2,))

    def step(x: Any) -> Any:
        loss = np.sum(np.tanh(x @ W + b) ** 2)
        return [loss, *grad(loss, [W, b])]

    captured = assert_programs_agree(step, [W, b], [[RNG.standard_normal(shape)]])
    products = [e for e in with_matrices(readable(captured.program)).equations if e.function is np.matmul]
    assert {e.output.ndim for e in products} == ({3} if shape == (5, 60, 3) else {2})


def test_the_matrices_of_a_sum_of_products_may_be_broadcast_or_read_elsewhere() -> None:
    x, y, z = (RNG.standard_normal(shape) for shape in ((5, 4, 3), (5, 4, 2), (4, 2)))

    def step(x: Any, y: Any, z: Any) -> Any:
        swapped = np.swapaxes(x, 1, 2)
        product = swapped @ y
        return np.sum(product, axis=0) + np.sum(swapped @ z, axis=0), np.sum(product, axis=(1, 2))

    matrices_of(step, x, y, z)


@pytest.mark.parametrize("keepdims", [False, True])
def test_a_sum_over_all_axes_but_the_last_is_one_of_columns(keepdims: bool) -> None:
    x = RNG.standard_normal((6, 5, 4, 3))
    program = matrices_of(lambda x: np.sum(x, axis=(0, 1, 2), keepdims=keepdims), x)
    sums = [e.inputs[0] for e in program.equations if e.function is np.sum]
    assert [shape_of(atom) for atom in sums] == [(120, 3)]


def test_windows_are_copied_once_for_all_products() -> None:
    filters = leaf((3, 3, 8))

    def step(images: Any) -> Any:
        windows = sliding_window_view(images, (3, 3), axis=(1, 2))
        maps = np.einsum("nijab,abk->nijk", windows, filters)
        return grad(np.sum(np.tanh(maps)), filters)

    images = RNG.standard_normal((20, 9, 9))
    program = program_of(step, images)
    code = generate(with_kernels(readable(program)))
    copies = [line for line in code.lines if "[...] = " in line]
    matrices = [array for value, array in code.layout.array.items() if value.shape == (20 * 7 * 7, 9)]
    assert len(copies) == 1
    assert any(array.flags.f_contiguous for array in matrices)  # long runs: all places of a window's first entry first
