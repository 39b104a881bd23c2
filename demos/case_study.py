# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The neural networks case study, with gradients from the engine
#
# The [case study](https://cs231n.github.io/neural-networks-case-study/) trains two models on points that lie on three
# spiral arms: a linear classifier, and a net with one hidden layer. It derives their gradients by hand. Here the engine
# computes the gradients. This notebook draws them, compares them with those derived by hand, prints them as NumPy, and
# trains with them.

# %%
import tempfile
from pathlib import Path

import numpy as np
from IPython.display import Image, display

from autograd_spiral import Tensor, check_against, check_gradients, draw, grad
from autograd_spiral.spiral import LinearClassifier, TwoLayerNet, accuracy, by_hand, descent, plots, published, train

folder = Path(tempfile.mkdtemp())


def show_plot(name, plot, *args):
    plot(folder / name, *args)
    display(Image(folder / name, width=420))


# %% [markdown]
# ## The data
#
# `published.start()` makes the same data and the same initial weights as the published run, since it draws the same
# random numbers.

# %%
X, y, linear, net = published.start()
print(X.shape, y.shape, np.unique(y))
show_plot("spiral.png", plots.plot_data, X, y)

# %% [markdown]
# ## A softmax linear classifier
#
# The scores are `X @ W + b`. The loss is the mean cross-entropy of their softmax, plus a penalty: half the
# regularisation strength times the sum of the squared weights. Nothing else has to be written by hand.

# %%
loss = linear.loss(Tensor(X, name="X"), Tensor(y, name="y"), reg=1e-3)
print(loss)
draw(loss)

# %% [markdown]
# With `gradients_of`, the backward pass is drawn, too. Each gradient is next to the value that it belongs to:

# %%
draw(loss, gradients_of=linear.parameters())

# %% [markdown]
# The case study derives `(p − onehot(y)) / N` for the scores, and from that the gradients of W and b. `check_against`
# compares these with the engine's gradients, element by element:

# %%
_, derived = by_hand.linear_gradients(X, y, linear.W.data, linear.b.data, 1e-3)
check_against(lambda W, b: LinearClassifier(W, b).loss(X, y, 1e-3), derived, linear.W, linear.b)

# %% [markdown]
# `train` records a training step once and then replays it. The losses equal the published ones in all six printed
# decimals:

# %%
losses = {"linear classifier": train(linear, X, y, steps=200)}
log = published.LINEAR
for i, expected in enumerate(log.losses):
    if i % 5 == 0:
        step = i * log.print_every
        print(f"iteration {step}: loss {losses['linear classifier'][step]:.6f}, published {expected:.6f}")
print(f"training accuracy: {accuracy(linear, X, y):.2f}, published {log.accuracy:.2f}")
show_plot("linear.png", plots.plot_regions, linear, X, y, "Regions of the linear classifier")

# %% [markdown]
# ## A net with one hidden layer
#
# The net has one more layer, so its forward pass and its backward pass are longer.

# %%
loss = net.loss(Tensor(X, name="X"), Tensor(y, name="y"), reg=1e-3)
draw(loss, gradients_of=net.parameters())

# %% [markdown]
# ### Three gradients compared
#
# First, the gradients derived by hand are compared with the engine's gradients. Then the engine's gradients are
# compared with finite differences, whose error bound is known. Three data points start exactly at the kink of relu,
# where there is no derivative, and the report says so.

# %%
W1, b1, W2, b2 = (p.data for p in net.parameters())
arrays = W1[:, :10], b1[:, :10], W2[:10], b2  # ten of the hundred hidden units


def loss_of(W1, b1, W2, b2):
    return TwoLayerNet(W1, b1, W2, b2).loss(X, y, 1e-3)


_, derived = by_hand.two_layer_gradients(X, y, *arrays, 1e-3)
display(check_against(loss_of, derived, *arrays))
display(check_gradients(loss_of, *arrays))

# %% [markdown]
# ### The backward pass as NumPy
#
# This is a recorded training step. The case study derives the same line for `dW2`, with `h.T @ dscores`.

# %%
step = descent(net)
first_loss = step(X, y)
display(step.source)

# %% [markdown]
# ### Training

# %%
X, y, _, net = published.start()
losses["two-layer net"] = train(net, X, y, steps=10_000)
log = published.TWO_LAYER
for i, expected in enumerate(log.losses):
    step = i * log.print_every
    print(f"iteration {step}: loss {losses['two-layer net'][step]:.6f}, published {expected:.6f}")
print(f"training accuracy: {accuracy(net, X, y):.2f}, published {log.accuracy:.2f}")
show_plot("net.png", plots.plot_regions, net, X, y, "Regions of the net")
show_plot("hidden.png", plots.plot_hidden_units, net, X, y)
show_plot("loss.png", plots.plot_losses, losses)

# %% [markdown]
# ## Gradients of gradients
#
# How fast does the gradient of the trained net's loss change if the parameters move in the direction of this gradient?

# %%
parameters = net.parameters()
slopes = grad(net.loss(X, y, reg=1e-3), parameters, create_graph=True)
length = sum(np.sum(slope**2) for slope in slopes)
half_length = grad(0.5 * length, parameters)
curvature = sum(float(np.sum(s * h)) for s, h in zip(slopes, half_length, strict=True)) / float(length)
print(f"curvature along the gradient: {curvature:.3f}")
