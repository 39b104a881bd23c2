"""The case study: the data, both models against the hand-derived gradients and finite differences, training."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_spiral import Tensor, grad
from autograd_spiral.spiral import LinearClassifier, TwoLayerNet, accuracy, by_hand, published, spiral, train

REG = 1e-3


def problem(seed, points=7, classes=3, hidden=5):
    """Data and both models, with parameters large enough to matter."""
    rng = np.random.default_rng(seed)
    X, y = spiral(points, classes, generator=rng)
    linear = LinearClassifier.random(rng, classes=classes)
    net = TwoLayerNet.random(rng, hidden=hidden, classes=classes)
    for parameter in (*linear.parameters(), *net.parameters()):
        parameter.assign(rng.standard_normal(parameter.shape))
    return X, y, linear, net


def gradients_by_hand(model):
    return by_hand.linear_gradients if isinstance(model, LinearClassifier) else by_hand.two_layer_gradients


def verbatim_linear(X, y, W, b, reg):
    """The case study's forward pass, NumPy function by NumPy function."""
    scores = np.dot(X, W) + b
    exp_scores = np.exp(scores)
    probs = exp_scores / np.sum(exp_scores, axis=1, keepdims=True)
    correct_logprobs = -np.log(probs[range(len(X)), y])
    return np.sum(correct_logprobs) / len(X) + 0.5 * reg * np.sum(W * W)


def verbatim_two_layer(X, y, W, b, W2, b2, reg):
    hidden_layer = np.maximum(0, np.dot(X, W) + b)
    scores = np.dot(hidden_layer, W2) + b2
    exp_scores = np.exp(scores)
    probs = exp_scores / np.sum(exp_scores, axis=1, keepdims=True)
    correct_logprobs = -np.log(probs[range(len(X)), y])
    return np.sum(correct_logprobs) / len(X) + 0.5 * reg * np.sum(W * W) + 0.5 * reg * np.sum(W2 * W2)


def assert_equal_to(actual, expected, tolerance=1e-12):
    for a, e in zip(actual, expected, strict=True):
        np.testing.assert_allclose(np.asarray(a), e, rtol=tolerance, atol=tolerance * np.abs(e).max())


@given(st.integers(1, 20), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_each_class_is_an_arm_from_the_origin(points, classes, seed):
    X, y = spiral(points, classes, 0.0, generator=np.random.default_rng(seed))
    assert X.shape == (points * classes, 2)
    assert np.array_equal(np.bincount(y), [points] * classes)
    np.testing.assert_allclose(np.hypot(*X.T), np.tile(np.linspace(0, 1, points), classes), atol=1e-12)
    for j in range(classes):
        tip = X[(j + 1) * points - 1]
        turn = 4 * (j + 1) if points > 1 else 0
        np.testing.assert_allclose(tip, [np.sin(turn), np.cos(turn)] if points > 1 else [0, 0], atol=1e-12)


def test_the_noise_is_drawn_arm_by_arm():
    X, _ = spiral(4, 2, 0.3, generator=np.random.RandomState(5))
    noise = np.random.RandomState(5).standard_normal(8)
    angle = np.concatenate([np.linspace(0, 4, 4), np.linspace(4, 8, 4)]) + 0.3 * noise
    radius = np.tile(np.linspace(0, 1, 4), 2)
    np.testing.assert_allclose(X, np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1))


@pytest.mark.parametrize("counts", [(0, 3), (3, 0), (-1, 2)])
def test_counts_below_one_are_refused(counts):
    with pytest.raises(ValueError, match="at least"):
        spiral(*counts, generator=np.random.default_rng(0))


def test_the_worked_example_of_the_softmax_gradient():
    np.testing.assert_allclose(by_hand.softmax_gradient(np.array([0.2, 0.3, 0.5]), 1), [0.2, -0.7, 0.5])


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(2, 4), st.integers(1, 8))
def test_models_agree_with_the_hand_derived_gradients(seed, points, classes, hidden):
    X, y, *models = problem(seed, points, classes, hidden)
    for model in models:
        loss = model.loss(X, y, REG)
        expected_loss, expected = gradients_by_hand(model)(X, y, *(p.data for p in model.parameters()), REG)
        assert_equal_to([loss.data], [np.array(expected_loss)])
        assert_equal_to(grad(loss, model.parameters()), expected)


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(2, 4), st.integers(1, 8))
def test_the_case_study_s_own_forward_pass_gives_the_same_loss_and_gradients(seed, points, classes, hidden):
    X, y, *models = problem(seed, points, classes, hidden)
    X = X[1:] if points > 1 else X + 0.1  # the first point of an arm is the origin
    y = y[1:] if points > 1 else y
    for model, verbatim in zip(models, (verbatim_linear, verbatim_two_layer), strict=True):
        ours = model.loss(X, y, REG)
        theirs = verbatim(X, y, *model.parameters(), REG)
        assert_equal_to([theirs.data], [ours.data])
        gradients = grad(ours, model.parameters())
        assert_equal_to(grad(theirs, model.parameters()), [g.data for g in gradients])


def test_models_agree_with_finite_differences():
    X, y, *models = problem(3)
    for model in models:
        gradients = grad(model.loss(X, y, REG), model.parameters())
        for field, gradient in zip(dataclasses.fields(model), gradients, strict=True):
            values = getattr(model, field.name).data
            numeric = np.empty_like(values)
            for i in np.ndindex(values.shape):
                losses = []
                for sign in (1, -1):
                    moved = values.copy()
                    moved[i] += sign * 1e-6
                    losses.append(dataclasses.replace(model, **{field.name: Tensor(moved)}).loss(X, y, REG).item())
                numeric[i] = (losses[0] - losses[1]) / 2e-6
            np.testing.assert_allclose(gradient.data, numeric, atol=1e-8)


def test_predictions_are_the_largest_scores_and_record_nothing():
    X, y, *models = problem(1)
    for model in models:
        predicted = model.predict(X)
        assert np.array_equal(predicted, model.scores(X).data.argmax(axis=1))
        assert accuracy(model, X, y) == np.mean(predicted == y)


def test_models_are_immutable_and_named():
    net = TwoLayerNet.random(np.random.default_rng(0))
    assert [p.name for p in net.parameters()] == ["W1", "b1", "W2", "b2"]
    assert [p.shape for p in net.parameters()] == [(2, 100), (1, 100), (100, 3), (1, 3)]
    with pytest.raises(dataclasses.FrozenInstanceError):
        net.W1 = net.W2


def test_training_takes_the_step_that_the_hand_derived_gradients_say():
    X, y, *models = problem(2)
    for model in models:
        values = [p.data for p in model.parameters()]
        expected = []
        for _ in range(3):
            loss, gradients = gradients_by_hand(model)(X, y, *values, REG)
            expected.append(loss)
            values = [value - 0.1 * gradient for value, gradient in zip(values, gradients, strict=True)]
        seen = []
        losses = train(model, X, y, steps=3, step_size=0.1, reg=REG, on_step=lambda i, loss, seen=seen: seen.append(i))
        np.testing.assert_allclose(losses, expected, rtol=1e-12)
        assert seen == [0, 1, 2]
        assert_equal_to([p.data for p in model.parameters()], values)


def test_divergence_is_an_error_that_names_the_step():
    X, y, linear, _ = problem(0)
    with pytest.raises(FloatingPointError, match=r"step \d+ .*step size smaller"):
        train(linear, X, y, steps=2000, step_size=1e300)


def test_negative_steps_are_refused():
    X, y, linear, _ = problem(0)
    with pytest.raises(ValueError, match="-1"):
        train(linear, X, y, steps=-1)


def test_the_published_linear_log_comes_out_again():
    X, y, linear, _ = published.start()
    log = published.LINEAR
    losses = train(linear, X, y, steps=log.steps, step_size=published.STEP_SIZE, reg=published.REG)
    assert [f"{loss:.6f}" for loss in losses[:: log.print_every]] == [f"{loss:.6f}" for loss in log.losses]
    assert round(accuracy(linear, X, y), 2) == log.accuracy


def test_the_published_two_layer_log_comes_out_again():
    X, y, _, net = published.start()
    log = published.TWO_LAYER
    losses = train(net, X, y, steps=log.steps, step_size=published.STEP_SIZE, reg=published.REG)[:: log.print_every]
    assert [f"{loss:.6f}" for loss in losses[:7]] == [f"{loss:.6f}" for loss in log.losses[:7]]
    np.testing.assert_allclose(losses, log.losses, rtol=0, atol=1e-5)
    assert round(accuracy(net, X, y), 2) == log.accuracy


def test_a_seed_changes_the_draws():
    assert not np.array_equal(published.start(seed=1)[0], published.start(seed=2)[0])
    assert np.array_equal(published.start(seed=1)[0], published.start(seed=1)[0])
