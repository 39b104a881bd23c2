"""The two models of the case study, as frozen dataclasses of Tensors: applying a model does not change it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.engine.modes import no_grad, scope
from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.spiral.data import Generator
from autograd_spiral.vocabulary.functions import relu, softmax_cross_entropy

__all__ = ["LinearClassifier", "TwoLayerNet"]

Data: TypeAlias = Any  # an array or a Tensor of shape (N, D); NumPy's stubs do not know that `X @ W` is a Tensor


def _weights(generator: Generator, rows: int, columns: int, name: str) -> Tensor:
    """Return small random weights, 0.01 times standard normals."""
    return Tensor(0.01 * generator.standard_normal((rows, columns)), requires_grad=True, name=name)


def _bias(width: int, name: str) -> Tensor:
    return Tensor(np.zeros((1, width)), requires_grad=True, name=name)


def _loss(scores: Tensor, y: Data, reg: float, *weights: Tensor) -> Tensor:
    """Return the mean cross-entropy of the scores plus the L2 penalty: `reg / 2` times the sum of squared `weights`."""
    with scope("L2 penalty"):
        squares = [np.square(W).sum() for W in weights]
        reg_loss: Tensor = 0.5 * reg * sum(squares[1:], start=squares[0])
    with scope("loss"):
        data_loss: Tensor = softmax_cross_entropy(scores, y)
        return (data_loss.named("data_loss") + reg_loss.named("reg_loss")).named("loss")


@dataclass(frozen=True, eq=False)
class LinearClassifier:
    """A classifier whose scores are linear in the data: the scores are `X @ W + b`.

    X has N rows of D numbers, and there are K classes, so W has shape (D, K) and b has shape (1, K). Both models in
    this module are from CS231n, Neural Networks Case Study.

    >>> classifier = LinearClassifier.random(np.random.default_rng(0), dimensions=2, classes=3)
    >>> classifier.scores(np.ones((4, 2))).shape
    (4, 3)
    >>> round(float(classifier.loss(np.ones((4, 2)), np.array([0, 1, 2, 0]), reg=1e-3)), 2)  # about log 3
    1.1
    """

    W: Tensor
    b: Tensor

    @classmethod
    def random(cls, generator: Generator, dimensions: int = 2, classes: int = 3) -> LinearClassifier:
        """Return a classifier with small random weights and biases of 0.

        The weights have shape (dimensions, classes). They are 0.01 times standard normal numbers from `generator`.

        >>> LinearClassifier.random(np.random.default_rng(0), dimensions=4, classes=10).W.shape
        (4, 10)
        """
        return cls(_weights(generator, dimensions, classes, "W"), _bias(classes, "b"))

    def parameters(self) -> tuple[Tensor, ...]:
        """Return W and b.

        >>> [parameter.name for parameter in LinearClassifier.random(np.random.default_rng(0)).parameters()]
        ['W', 'b']
        """
        return self.W, self.b

    def scores(self, X: Data) -> Tensor:
        """Return the class scores for each row of X.

        X has shape (N, D), and the scores have shape (N, K). Raises ShapeError if X does not have D columns.

        >>> classifier = LinearClassifier(Tensor([[1.0, -1.0]]), Tensor([[0.5, 0.0]]))
        >>> classifier.scores(np.array([[2.0], [0.0]])).data
        array([[ 2.5, -2. ],
               [ 0.5,  0. ]])
        """
        with scope("layer"):
            scores: Tensor = X @ self.W + self.b
        return scores.named("scores")

    def loss(self, X: Data, y: Data, reg: float) -> Tensor:
        """Return the mean cross-entropy of the scores with the classes y, plus `reg / 2 · ΣW²`.

        X has shape (N, D), and y holds N integers in `range(K)`. Raises LabelError, naming the row, if y does not.

        >>> classifier = LinearClassifier(Tensor([[3.0, 3.0]]), Tensor([[0.0, 0.0]]))  # both classes get the same score
        >>> loss = classifier.loss(np.ones((4, 1)), np.array([0, 1, 1, 0]), reg=0.1)
        >>> float(loss.data.round(4)), float(np.round(np.log(2) + 0.1 / 2 * (3**2 + 3**2), 4))
        (1.5931, 1.5931)
        """
        return _loss(self.scores(X), y, reg, self.W)

    def predict(self, X: Data) -> NDArray[np.intp]:
        """Return the class with the largest score for each row of X, without recording.

        If several classes have the largest score, the first one is returned. X has shape (N, D), and the result has
        shape (N,). Raises ShapeError if X does not have D columns.

        >>> classifier = LinearClassifier(Tensor([[1.0, -1.0]]), Tensor([[0.0, 0.0]]))
        >>> classifier.predict(np.array([[2.0], [-3.0], [0.0]]))
        array([0, 1, 0])
        """
        return _largest(self, X)


@dataclass(frozen=True, eq=False)
class TwoLayerNet:
    """A net with one hidden layer of rectified linear units: `h = relu(X @ W1 + b1)`, with scores `h @ W2 + b2`.

    X has N rows of D numbers, and there are H hidden units and K classes. So the shapes are W1 (D, H), b1 (1, H), W2
    (H, K) and b2 (1, K).

    >>> net = TwoLayerNet.random(np.random.default_rng(0), hidden=5)
    >>> net.hidden(np.ones((4, 2))).shape, net.scores(np.ones((4, 2))).shape
    ((4, 5), (4, 3))
    >>> net.predict(np.ones((4, 2))).shape
    (4,)
    """

    W1: Tensor
    b1: Tensor
    W2: Tensor
    b2: Tensor

    @classmethod
    def random(cls, generator: Generator, dimensions: int = 2, hidden: int = 100, classes: int = 3) -> TwoLayerNet:
        """Return a net with small random weights and biases of 0.

        The weights have the shapes (dimensions, hidden) and (hidden, classes). They are 0.01 times standard normal
        numbers from `generator`.

        >>> net = TwoLayerNet.random(np.random.default_rng(0), hidden=50)
        >>> net.W1.shape, net.W2.shape
        ((2, 50), (50, 3))
        """
        W1 = _weights(generator, dimensions, hidden, "W1")
        W2 = _weights(generator, hidden, classes, "W2")
        return cls(W1, _bias(hidden, "b1"), W2, _bias(classes, "b2"))

    def parameters(self) -> tuple[Tensor, ...]:
        """Return W1, b1, W2 and b2.

        >>> [parameter.name for parameter in TwoLayerNet.random(np.random.default_rng(0)).parameters()]
        ['W1', 'b1', 'W2', 'b2']
        """
        return self.W1, self.b1, self.W2, self.b2

    def hidden(self, X: Data) -> Tensor:
        """Return the outputs of the hidden units for each row of X.

        X has shape (N, D), and the outputs have shape (N, H). Raises ShapeError if X does not have D columns.

        >>> other = Tensor([[0.0]])  # the second layer is not used here
        >>> net = TwoLayerNet(Tensor([[1.0, -1.0]]), Tensor([[0.5, 0.5]]), other, other)
        >>> net.hidden(np.array([[2.0], [0.0]])).data
        array([[2.5, 0. ],
               [0.5, 0.5]])
        """
        with scope("layer 1"):
            h: Tensor = relu(X @ self.W1 + self.b1)
        return h.named("h")

    def scores(self, X: Data) -> Tensor:
        """Return the class scores for each row of X.

        X has shape (N, D), and the scores have shape (N, K). Raises ShapeError if X does not have D columns.

        >>> net = TwoLayerNet.random(np.random.default_rng(0), dimensions=4, classes=10)
        >>> net.scores(np.ones((5, 4))).shape
        (5, 10)
        """
        h = self.hidden(X)
        with scope("layer 2"):
            scores = h @ self.W2 + self.b2
        return scores.named("scores")

    def loss(self, X: Data, y: Data, reg: float) -> Tensor:
        """Return the mean cross-entropy of the scores with the classes y, plus `reg / 2 · (ΣW1² + ΣW2²)`.

        X has shape (N, D), and y holds N integers in `range(K)`. Raises LabelError, naming the row, if y does not.

        >>> TwoLayerNet.random(np.random.default_rng(0)).loss(np.ones((2, 2)), np.array([0, 3]), reg=1e-3)
        Traceback (most recent call last):
          ...
        autograd_spiral.errors.LabelError: the label at row 1 is 3, but 3 classes are numbered 0 to 2
        """
        return _loss(self.scores(X), y, reg, self.W1, self.W2)

    def predict(self, X: Data) -> NDArray[np.intp]:
        """Return the class with the largest score for each row of X, without recording.

        If several classes have the largest score, the first one is returned. X has shape (N, D), and the result has
        shape (N,). Raises ShapeError if X does not have D columns.

        >>> net = TwoLayerNet(Tensor([[1.0, -1.0]]), Tensor([[0.0, 0.0]]), Tensor(np.eye(2)), Tensor([[0.0, 1.0]]))
        >>> net.predict(np.array([[2.0], [0.5], [-1.0]]))
        array([0, 1, 1])
        """
        return _largest(self, X)


def _largest(model: LinearClassifier | TwoLayerNet, X: Data) -> NDArray[np.intp]:
    with no_grad():
        largest: NDArray[np.intp] = np.argmax(model.scores(X).data, axis=1)
    return largest
