"""Records of training runs: when snapshots are taken, what they contain, and that the training itself is the same."""

import numpy as np
import pytest
from pages import data_of, elements_of

from autograd_spiral import Tensor, capture, explore, grad
from autograd_spiral.explorer.training import finished
from autograd_spiral.spiral import LinearClassifier, descent, published, spiral, train


def falling():
    """A step whose state halves at each call."""
    w = Tensor(np.full((4, 3), 8.0), requires_grad=True, name="w")

    @capture
    def step(x):
        loss = np.sum(w * x).named("loss")
        w.assign(w - 0.5 * w * grad(loss, w))
        return loss

    return step, w


def values(page, name):
    boxes = data_of(page)["boxes"]
    return elements_of(page)[next(i for i, box in enumerate(boxes) if box["name"] == name)]


def test_snapshots_are_taken_at_the_chosen_calls_and_of_the_present():
    step, _ = falling()
    record = explore.training(step, at=(0, 2, 5))
    for _ in range(7):
        record(np.ones((4, 3)))
    page = explore(record)
    assert data_of(page)["at"] == [0, 2, 5, 7]
    np.testing.assert_array_equal(values(page, "w")[:, 0], [8, 2, 0.25, 8 / 2**7])
    np.testing.assert_array_equal(values(page, "loss").ravel(), [96, 24, 3, 12 * 8 / 2**7])
    assert record.losses == [12 * 8 / 2**i for i in range(7)]


def test_by_default_snapshots_grow_apart():
    step, _ = falling()
    record = explore.training(step)
    for _ in range(300):
        record(np.ones((4, 3)))
    at = np.array([snapshot.at for snapshot in finished(record)[1]])
    assert at[:8].tolist() == list(range(8))
    assert at[-1] == 300
    ratios = at[9:-1] / at[8:-2]
    assert np.all(ratios > 1.1)
    assert np.all(ratios < 1.3)
    assert 25 < len(at) < 40


def test_there_are_never_more_snapshots_than_wanted_and_the_first_one_stays():
    step, _ = falling()
    record = explore.training(step, snapshots=6)
    for _ in range(200):
        record(np.ones((4, 3)))
        assert len(finished(record)[1]) <= 6
    at = [snapshot.at for snapshot in finished(record)[1]]
    assert (len(at), at[0], at[-1]) == (6, 0, 200)
    assert at == sorted(at)


def test_a_small_budget_makes_smaller_samples_and_fewer_snapshots():
    step, _ = falling()
    sizes = {}
    for budget in (1_000_000, 12_000, 4_000):
        record = explore.training(step, at=range(30), budget=budget)
        for _ in range(30):
            record(np.ones((4, 3)))
        camera, snapshots = finished(record)
        sizes[budget] = sum(sample.size for sample in camera.samples) * len(snapshots)
        assert 4 * sizes[budget] <= budget
    assert sizes[1_000_000] > sizes[12_000] > sizes[4_000] > 0


def test_the_training_is_the_same_as_without_a_record():
    results = []
    for watch in (None, explore.training):
        generator = np.random.default_rng(0)
        X, y = spiral(20, generator=generator)
        model = LinearClassifier.random(generator)
        losses = train(model, X, y, steps=20, watch=watch)
        results.append((losses, model.W.data))
    np.testing.assert_array_equal(results[0][0], results[1][0])
    np.testing.assert_array_equal(results[0][1], results[1][1])


def test_inputs_are_kept_as_they_were_at_the_snapshot():
    step, _ = falling()
    record = explore.training(step, at=(0,))
    x = np.ones((4, 3))
    record(x)
    x[:] = 5.0
    assert values(explore(record), "loss")[0] == 96


def test_calls_with_other_shapes_are_trained_on_but_not_shown():
    w = Tensor(np.ones(3), requires_grad=True, name="w")
    step = capture(lambda x: np.sum(x * w))
    record = explore.training(step)
    record(np.ones((4, 3)))
    with pytest.warns(UserWarning, match="call 1 computes something else than the first call"):
        record(np.ones((5, 3)))
    record(np.ones((4, 3)))
    record(np.ones((5, 3)))  # warned of once
    assert record.losses == [12.0, 15.0, 12.0, 15.0]
    assert data_of(explore(record))["at"] == [0, 2, 4]


def test_a_program_that_differs_in_numbers_alone_is_shown_too():
    w = Tensor(np.array([8.0, 4.0]), requires_grad=True, name="w")

    @capture
    def step(x, rate):
        loss = np.sum(w * x).named("loss")
        w.assign(w - rate * grad(loss, w))
        return loss

    record = explore.training(step)
    for rate in (1.0, 0.5, 0.25):  # each number makes a program
        record(np.ones(2), rate)
    np.testing.assert_array_equal(values(explore(record), "w"), [[8, 4], [7, 3], [6.5, 2.5], [6.25, 2.25]])


def test_the_loss_is_the_first_output_of_one_element():
    w = Tensor(np.ones(3), requires_grad=True, name="w")
    record = explore.training(capture(lambda x: {"loss": np.sum(x * w), "all": x * w}))
    record(np.ones(3))
    assert record.losses == [3.0]
    record = explore.training(capture(lambda x: x * w))
    record(np.ones(3))
    assert np.isnan(record.losses[0])
    assert data_of(explore(record))["curve"] == [[0, None], [1, None]]
    record = explore.training(capture(lambda x: {"count": 7, "loss": np.sum(x * w)}))
    record(np.ones(3))
    assert data_of(explore(record))["curve"] == [[0, 3.0], [1, 3.0]]  # the tensor, not the number


def test_the_curve_has_the_loss_that_each_snapshot_shows_also_after_thousands_of_updates():
    X, y, linear, _ = published.start(points=20)
    record = explore.training(descent(linear))
    for _ in range(3000):
        record(X, y)
    page = explore(record)
    data, shown = data_of(page), values(page, "loss").ravel()
    curve = dict(data["curve"])
    assert len(curve) < 1500  # it is thinned
    assert data["at"][-1] == 3000
    assert [curve[at] for at in data["at"]] == [pytest.approx(float(loss), rel=1e-8) for loss in shown]


def test_the_regions_are_predicted_at_each_snapshot():
    X, y, linear, _ = published.start(points=20)
    record = explore.training(descent(linear), at=(0, 10), regions=(X, y, linear.predict))
    for _ in range(20):
        record(X, y)
    _, snapshots = finished(record)
    grid = record.regions.grid()
    np.testing.assert_array_equal(snapshots[-1].regions, linear.predict(grid))
    assert not np.array_equal(snapshots[0].regions, snapshots[-1].regions)
    (left, right), (bottom, top) = record.regions.bounds()
    assert left < X[:, 0].min() < X[:, 0].max() < right
    assert bottom < X[:, 1].min() < X[:, 1].max() < top


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_the_steepest_fall_is_where_the_loss_falls_and_no_spike(noise):
    from autograd_spiral.explorer.page import _steepest

    steps = np.arange(5000)
    losses = 1 / (1 + np.exp((steps - 1200) / 100)) + noise * (steps % 500 == 499)
    at, fall, _ = _steepest(losses.tolist())
    assert abs(at - 1200) < 30
    assert fall == pytest.approx(1 / 400, rel=0.1)
