import math
from dataclasses import fields

import numpy as np
import pytest

from autograd_spiral.gradcheck.differences import Line, Slopes, slopes_of, typical_scale
from autograd_spiral.gradcheck.judging.noise import noise_level

DOUBLE, SINGLE = np.dtype(float), np.dtype(np.float32)


class Alone(Line):
    """A line whose slopes are asked for alone."""

    def slopes(self):
        found = slopes_of([self])
        return Slopes(*(getattr(found, field.name)[0] for field in fields(found)))


def line(function, at=0.0, scale=1.0, rounding=1e-15, dtype=DOUBLE):
    """The line through `at` of a function of one number."""

    def along(t):
        return np.atleast_1d(np.asarray(function(dtype.type(at) + dtype.type(t)), float))

    size = along(0.0).size
    return Alone(along, scale, np.full(size, rounding), dtype)


SMOOTH = {
    "exp": (np.exp, 0.3, math.exp(0.3)),
    "sin": (np.sin, 1.1, math.cos(1.1)),
    "log": (np.log, 0.7, 1 / 0.7),
    "tenth power": (lambda x: x**10, 1.2, 10 * 1.2**9),
    "line": (lambda x: 3 * x + 100, 5.0, 3.0),
    "flat": (lambda x: x * 0 + 7, 5.0, 0.0),
    "logistic": (lambda x: 1 / (1 + np.exp(-x)), 4.0, math.exp(-4) / (1 + math.exp(-4)) ** 2),
    "runge": (lambda x: 1 / (1 + 25 * x * x), 0.2, -50 * 0.2 / 4.0),
    "fast": (lambda x: np.sin(40 * x), 0.2, 40 * math.cos(8)),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_functions_are_within_a_tight_bound(name):
    function, at, derivative = SMOOTH[name]
    slopes = line(function, at, rounding=4e-16 * abs(function(at)) + 4e-16).slopes()
    assert abs(slopes.central[0] - derivative) <= slopes.bound[0]
    assert slopes.bound[0] <= 1e-8 * max(1, abs(derivative))
    assert not slopes.kinked[0]


@pytest.mark.parametrize("name", [name for name in SMOOTH if name not in ("fast", "runge")])  # too wide steps there
def test_in_float32_the_bound_is_that_of_float32(name):
    function, at, derivative = SMOOTH[name]
    given = line(function, at, rounding=4e-7 * (abs(float(function(at))) + 1), dtype=SINGLE)
    slopes = given.slopes()
    assert abs(slopes.central[0] - derivative) <= slopes.bound[0]
    assert slopes.bound[0] <= 0.05 * max(1, abs(derivative)) * (1 + abs(float(function(at))))


def test_bounds_hold_over_many_functions():
    rng = np.random.default_rng(0)
    for _ in range(300):
        a, b, c, d = rng.uniform(0.2, 3, 4)
        at = rng.normal()
        slopes = line(lambda x, a=a, b=b, c=c, d=d: a * np.sin(b * x) + c * np.exp(-d * x * x), at, 1.0, 1e-14).slopes()
        derivative = a * b * math.cos(b * at) - 2 * c * d * at * math.exp(-d * at * at)
        assert abs(slopes.central[0] - derivative) <= slopes.bound[0] < 1e-8


@pytest.mark.parametrize("left", [-2.0, 0.0, 1.0])
@pytest.mark.parametrize("right", [0.5, 3.0])
def test_a_kink_at_the_point_gives_both_slopes(left, right):
    slopes = line(lambda x: np.where(x > 0, right * x, left * x) + x * x).slopes()
    assert abs(slopes.left[0] - left) < 1e-8
    assert abs(slopes.right[0] - right) < 1e-8
    assert slopes.kinked[0]


@pytest.mark.parametrize("distance", [1e-2, -1e-3, 1e-4, -1e-6, 1e-8])
def test_steps_shrink_below_a_kink_nearby(distance):
    given = line(lambda x: np.maximum(x, 0) + np.sin(x), distance, rounding=1e-16)
    for _ in range(3):
        given.refine()
    slopes = given.slopes()
    derivative = (distance > 0) + math.cos(distance)
    assert abs(slopes.central[0] - derivative) <= slopes.bound[0] < 1e-3
    assert not slopes.kinked[0]


def test_weak_kinks_nearby_do_not_break_the_bound():
    rng = np.random.default_rng(1)
    for _ in range(200):
        places, strengths = rng.normal(0, 0.01, 20), rng.normal(0, 1e-3, 20)

        def bent(x, places=places, strengths=strengths):
            return np.sum(strengths * np.maximum(x - places, 0)) + np.sin(x)

        given = line(bent)
        given.refine()
        slopes = given.slopes()
        derivative = np.sum(strengths * (places < 0)) + 1
        reach = slopes.bound[0] + slopes.gap_bound[0]
        assert min(slopes.left[0], slopes.right[0], slopes.central[0]) - reach <= derivative
        assert derivative <= max(slopes.left[0], slopes.right[0], slopes.central[0]) + reach


@pytest.mark.parametrize("value_at_zero", [0.0, 0.5, 1.0])
def test_a_jump_is_a_kink_with_the_slopes_beside_it(value_at_zero):
    slopes = line(lambda x: np.where(x > 0, 1 + 2 * x, np.where(x < 0, 3 * x, value_at_zero))).slopes()
    assert slopes.kinked[0]
    assert abs(slopes.left[0] - 3) < 1e-8
    assert abs(slopes.right[0] - 2) < 1e-8


def test_one_side_is_enough():
    slopes = line(lambda x: np.where(x < 0, np.nan, np.log1p(np.abs(x)))).slopes()
    assert abs(slopes.central[0] - 1) <= slopes.bound[0] < 1e-5
    assert not slopes.kinked[0]


def test_no_side_has_an_infinite_bound():
    slopes = line(lambda x: np.where(x == 0, 0.0, np.nan)).slopes()
    assert np.isinf(slopes.bound[0])
    assert np.isnan(slopes.central[0])


def test_outputs_are_kept_apart():
    slopes = line(lambda x: np.array([np.abs(x), 1e8 * x, 1.0 + 0 * x, x * x])).slopes()
    assert slopes.kinked.tolist() == [True, False, False, False]
    assert slopes.bound[2] < 1e-12
    assert np.allclose(slopes.central[1:], [1e8, 0, 0], atol=1e-9)


def test_noise_widens_the_bound():
    rng = np.random.default_rng(2)
    level = 1e-7
    wrong = 0
    for at in rng.uniform(0.3, 1.2, 100):
        noisy = line(lambda x: np.sin(x) + level * rng.uniform(-1, 1), at, rounding=level)
        slopes = noisy.slopes()
        wrong += abs(slopes.central[0] - math.cos(at)) > slopes.bound[0]
        assert slopes.bound[0] < 0.01
    assert wrong == 0


@pytest.mark.parametrize("scale", [1e-20, 1e-3, 1e9])
def test_steps_are_multiples_of_the_scale(scale):
    slopes = line(lambda x: np.sin(x / scale), scale, scale).slopes()
    assert abs(slopes.central[0] * scale - math.cos(1)) <= slopes.bound[0] * scale < 1e-9


def test_the_noise_of_values_is_measured():
    t = 0.4 + 1e-6 * np.arange(7)
    rng = np.random.default_rng(3)
    assert noise_level(np.sin(t)[:, None])[0] < 1e-14
    measured = [noise_level((np.sin(t) + rng.normal(0, 1e-5, 7))[:, None])[0] for _ in range(200)]
    assert 5e-6 < np.median(measured) < 3e-5
    assert noise_level(np.full((7, 2), np.nan)).tolist() == [0, 0]


def test_scales_of_elements():
    assert typical_scale(np.array([-4.0, 0.0, 1.0, 2.0])).tolist() == [4.0, 2.0, 2.0, 2.0]
    assert typical_scale(np.zeros((2, 1))).tolist() == [[1.0], [1.0]]
    assert typical_scale(np.array([np.inf, np.nan, 3.0])).tolist() == [3.0, 3.0, 3.0]
    assert typical_scale(np.array(-0.5)) == 0.5


def test_lines_get_together_what_each_gets_alone():
    rng = np.random.default_rng(3)

    def lines(refined):
        for a, b, scale in rng.normal(size=(20, 3)):
            bent = [lambda x: np.maximum(x, 0), np.sin, lambda x: 1 / x, lambda x: np.sqrt(x), lambda x: x > 0]

            def along(t, a=a, b=b, bent=bent):
                with np.errstate(all="ignore"):
                    return np.array([b * part(a * (t if k % 2 else t + a)) for k, part in enumerate(bent)])

            found = Line(along, abs(scale), np.full(5, 1e-16), DOUBLE)
            for _ in range(refined):
                found.refine()
            yield found

    for refined in (0, 2):
        together = [*lines(refined)]
        all_slopes = slopes_of(together)
        for k, each in enumerate(together):
            alone = slopes_of([each])
            for field in fields(Slopes):
                one, several = getattr(alone, field.name)[0], getattr(all_slopes, field.name)[k]
                assert one.tobytes() == several.tobytes(), field.name
