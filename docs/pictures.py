"""Makes all pictures in docs/pictures: python docs/pictures.py

Graphs are drawn after 100 steps of training, when values and gradients have typical sizes and the models still learn.
The pictures of captured steps show only shapes. Plots show the models after the whole training: 200 steps of the linear
classifier and 10,000 of the net (300 with --quick). Needs matplotlib for plots and Graphviz for graphs; if one of them
is missing, its pictures are left out.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from autograd_spiral import Tensor, capture, draw, grad, keep_memory, scope, softmax_cross_entropy
from autograd_spiral.drawing import Drawing
from autograd_spiral.spiral import LinearClassifier, TwoLayerNet, plots, published, train

PICTURES = Path(__file__).parent / "pictures"
EARLY = 100
ON_PAGE = "10.4,10.4"  # inches of 96 pixels: wider pictures are scaled down to 1,000 pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "folder", type=Path, nargs="?", default=PICTURES, help="folder to write to (default: docs/pictures)"
    )
    parser.add_argument("--quick", action="store_true", help="train the net for 300 steps")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    keep_memory()

    X, y, linear, net = published.start()
    models = {"linear": linear, "net": net}
    steps = {"linear": published.LINEAR.steps, "net": 300 if options.quick else published.TWO_LAYER.steps}
    losses = {}
    for stem, model in models.items():
        early = train(model, X, y, steps=EARLY)
        for kind, picture in graphs(model, X, y).items():
            save(picture, options.folder / f"{stem}-{kind}")
        losses[stem] = np.concatenate([early, train(model, X, y, steps=steps[stem] - EARLY)])
    save(recurrent(steps=20), options.folder / "recurrent-joint")

    if plots.available():
        plots.plot_data(options.folder / "spiral.png", X, y)
        plots.plot_regions(options.folder / "linear-boundary.png", linear, X, y, "Regions of the linear classifier")
        plots.plot_regions(options.folder / "net-boundary.png", net, X, y, "Regions of the two-layer ReLU net")
        plots.plot_hidden_units(options.folder / "net-hidden.png", net, X, y)
        names = {"linear": "linear classifier", "net": "two-layer ReLU net"}
        plots.plot_losses(options.folder / "loss.png", {names[stem]: losses[stem] for stem in models})
    print(f"{len(list(options.folder.iterdir()))} files in {options.folder}")


def graphs(model: LinearClassifier | TwoLayerNet, X: np.ndarray, y: np.ndarray) -> dict[str, Drawing]:
    """Return the graphs of the loss with the sizes of gradients, of both passes, and of a whole training step."""
    data = Tensor(X, name="X"), Tensor(y, name="y")
    parameters = model.parameters()
    joint = draw(model.loss(*data, published.REG), gradients_of=parameters)

    loss = model.loss(*data, published.REG)
    loss.backward()
    forward = draw(loss)
    for parameter in parameters:
        parameter.grad = None

    @capture
    def step(X: np.ndarray, y: np.ndarray) -> Tensor:
        loss = model.loss(X, y, published.REG)
        for parameter, gradient in zip(parameters, grad(loss, parameters), strict=True):
            parameter.assign(parameter - published.STEP_SIZE * gradient)
        return loss

    before = [parameter.data for parameter in parameters]
    step(X, y)
    for parameter, value in zip(parameters, before, strict=True):
        parameter.assign(value)
    program = step.program.with_equations(replace(equation, place=None) for equation in step.program.equations)
    return {"forward": forward, "joint": joint, "step": draw(program)}  # without line numbers, which change


def recurrent(steps: int) -> Drawing:
    """Return the graph of a recurrent net with both passes. Its time steps are the rounds of a loop."""
    rng = np.random.default_rng(0)
    shapes = {"Wx": (3, 8), "Wh": (8, 8), "b": (8,), "Wy": (8, 2)}
    Wx, Wh, b, Wy = (
        Tensor(0.3 * rng.standard_normal(shape), requires_grad=True, name=name) for name, shape in shapes.items()
    )
    X, y = Tensor(rng.standard_normal((5, steps, 3)), name="X"), Tensor(np.array([0, 1, 0, 1, 1]), name="y")
    h = Tensor(np.zeros((5, 8)), name="h0")
    for t in range(steps):
        with scope(f"step {t}"):
            h = np.tanh(X[:, t] @ Wx + h @ Wh + b).named("h")
    loss = softmax_cross_entropy((h @ Wy).named("scores"), y).named("loss")
    return draw(loss, gradients_of=[Wx, Wh, b, Wy])


def save(picture: Drawing, path: Path) -> None:
    """Save a picture as .png for the pages, and as .svg for a closer look."""
    picture.save_as(path.with_suffix(".svg"))
    picture.graph_attr["size"] = ON_PAGE
    picture.save_as(path.with_suffix(".png"))


if __name__ == "__main__":
    main()
