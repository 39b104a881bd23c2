"""Measure the explorer's pages in headless Chromium: their size, how soon they open, and how fast a slider moves.

Needs playwright (extra `test-browser`) and Chromium. The column "opens" is the time from the start of the page's script
until the page is drawn. The other two columns are about the sliders: they show how long the browser takes to lay out
the page again after a slider has moved, as the median and the maximum of many moves. The browser draws a frame between
two moves, as it would if a person moved the slider.
"""

import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

from autograd_spiral import Tensor, capture, explore, grad, mean_squared_error, scope
from autograd_spiral.spiral import descent, published

MOVES = """async name => {
  const slider = document.getElementById(name), top = Number(slider.max), times = [];
  for (let i = 0; i <= Math.min(top, 60); i++) {
    slider.value = Math.round(i * top / Math.min(top, 60));
    const began = performance.now();
    slider.dispatchEvent(new Event('input'));
    document.body.offsetHeight;
    times.push(performance.now() - began);
    await new Promise(requestAnimationFrame);
  }
  times.sort((a, b) => a - b);
  return top ? `${times[times.length >> 1].toFixed(1)} (${times.at(-1).toFixed(1)}) ms` : '-';
}"""


def net():
    X, y, _, model = published.start()
    record = explore.training(descent(model), regions=(X, y, model.predict))
    for _ in range(published.TWO_LAYER.steps):
        record(X, y)
    return explore(record)


def recurrent_net(steps=100, width=32):
    rng = np.random.default_rng(0)
    shapes = {"Wx": (8, width), "Wh": (width, width), "b": (width,), "Wy": (width, 1)}
    W = {name: Tensor(0.2 * rng.standard_normal(shape), True, name) for name, shape in shapes.items()}

    @capture
    def step(X, y):
        h = np.zeros((16, width))
        for t in range(steps):
            with scope(f"step {t}"):
                h = np.tanh(X[t] @ W["Wx"] + h @ W["Wh"] + W["b"])
        loss = mean_squared_error(h @ W["Wy"], y)
        for parameter, gradient in zip(W.values(), grad(loss, [*W.values()]), strict=True):
            parameter.assign(parameter - 0.1 * gradient)
        return loss

    X = rng.standard_normal((steps, 16, 8))
    return explore(step, inputs=(X, X.sum(axis=(0, 2))[:, None]))


def main():
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        sys.exit("explorer_speed needs a browser: pip install -e '.[test-browser]', and Chromium")
    print("page                     size    opens    step of the computation    step of the training")
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        for name, make in (("net, 10,000 steps", net), ("recurrent net, 100", recurrent_net)):
            page, path = make(), Path(folder, "page.html")
            page.save_as(path)
            tab = browser.new_page(viewport={"width": 1280, "height": 800})
            tab.goto(path.as_uri())
            tab.wait_for_selector("html[data-ready]", state="attached")
            opens = tab.evaluate("document.documentElement.dataset.ready")
            times = [tab.evaluate(MOVES, slider) for slider in ("time", "moment")]
            size = f"{len(page.html.encode()) / 1e6:.2f} MB"
            print(f"{name:22} {size:>8}  {opens:>4} ms    {times[0]:>22}    {times[1]:>20}")
        browser.close()


if __name__ == "__main__":
    main()
