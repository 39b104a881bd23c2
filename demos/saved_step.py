"""Save a training step as a file that needs only NumPy, and use this file to train without the package.

First, a captured step trains the net for a while. Then the text of the step and the current parameters are saved in a
folder. Another Python process, which imports only NumPy, continues the training from there. In the end, both processes
have the same loss.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from autograd_spiral.spiral import descent, published

ELSEWHERE = """
import sys
import numpy as np
import saved_step

arrays = np.load("state.npz")
X, y, *state = (arrays[name] for name in arrays.files)
for _ in range(500):
    loss, *state = saved_step.step(X, y, *state)
assert not any("autograd" in name for name in sys.modules)
print(f"{loss:.12f}")
"""


def main() -> None:
    X, y, _, net = published.start()
    step = descent(net)
    for i in range(501):
        loss = float(step(X, y))
        if i % 100 == 0:
            print(f"step {i}: loss {loss:.6f}")

    with tempfile.TemporaryDirectory() as folder:
        path = step.program.save(Path(folder) / "saved_step.py")
        print(f"\nsaved {len(path.read_text().splitlines())} lines of NumPy, with this backward pass:")
        text = path.read_text().partition("# backward")[2].partition("# update")[0]
        print(text.rstrip())
        np.savez(Path(folder) / "state.npz", X, y, *(p.data for p in net.parameters()))
        command = [sys.executable, "-c", ELSEWHERE]
        there = float(subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout)

    here = [float(step(X, y)) for _ in range(500)][-1]
    print(f"\n500 steps later: loss {there:.6f} in the other process, {here:.6f} in this one")
    assert abs(there - here) < 1e-9


if __name__ == "__main__":
    main()
