"""The package itself: names that are imported at once, names that are imported at first use, and its docstring."""

import json
import subprocess
import sys
import types

import autograd_spiral

SCRIPT = """
import json, sys
sys.modules["graphviz"] = sys.modules["matplotlib"] = None
loaded = []
for code in json.load(sys.stdin):
    for name in [name for name in sys.modules if name.partition(".")[0] == "autograd_spiral"]:
        del sys.modules[name]
    exec(code, {})
    loaded.append([name for name, module in sys.modules.items() if module is not None])
print(json.dumps(loaded))
"""


def loaded_after(*codes):
    """For each code, the modules that a process has loaded after it; each imports the package for the first time.

    graphviz and matplotlib cannot be imported there.
    """
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, input=json.dumps(codes), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [set(names) for names in json.loads(done.stdout)]


def test_recording_and_gradients_import_no_reader_of_the_record():
    code = """
from autograd_spiral import Tensor, grad, no_grad, primitive, relu, softmax_cross_entropy
w = Tensor([[1.0, -2.0]], requires_grad=True)
assert grad(softmax_cross_entropy(relu(w), [0]), w).shape == (1, 2)
"""
    (loaded,) = loaded_after(code)
    rooms = {name.split(".")[1] for name in loaded if name.startswith("autograd_spiral.")}
    assert rooms == {"interrupts", "errors", "engine", "vocabulary", "other_libraries"}


def test_other_names_come_with_their_room_and_without_graphviz():
    names = {"capture": "program", "backward_source": "program", "check_gradients": "gradcheck", "blame": "debug"}
    codes = [f"from autograd_spiral import {name}\nassert callable({name}), {name!r}" for name in names]
    for (name, room), loaded in zip(names.items(), loaded_after(*codes), strict=True):
        assert f"autograd_spiral.{room}" in loaded, name
        assert "autograd_spiral.drawing" not in loaded, name


def test_all_but_drawing_works_without_graphviz():
    code = """
import inspect
from autograd_spiral import *
import autograd_spiral
from autograd_spiral.cli import main
assert {name for name, _ in inspect.getmembers(autograd_spiral)} >= set(autograd_spiral.__all__)
try:
    draw(Tensor(2.0, requires_grad=True) * 3)
except ImportError as error:
    assert str(error).endswith("pip install graphviz"), error
else:
    raise AssertionError("graphviz is there")
"""
    loaded_after(code)


def test_rooms_are_attributes_of_the_package_and_listed():
    rooms = ["program", "gradcheck", "drawing", "debug", "spiral", "cli"]
    loaded_after(
        *(
            f"import autograd_spiral\nassert autograd_spiral.{room}.__name__ == 'autograd_spiral.{room}'"
            for room in rooms
        )
    )
    assert set(rooms) <= set(dir(autograd_spiral))


def test_every_public_name_is_there_and_listed():
    for name in autograd_spiral.__all__:
        value = getattr(autograd_spiral, name)
        assert callable(value)
        assert not isinstance(value, types.ModuleType), name
        assert getattr(autograd_spiral, name) is value
    assert set(autograd_spiral.__all__) <= set(dir(autograd_spiral))
    names: dict[str, object] = {}
    exec("from autograd_spiral import *", names)
    assert set(autograd_spiral.__all__) <= names.keys()


def test_the_tour_names_what_there_is():
    tour = autograd_spiral.__doc__
    for name in (
        "Tensor",
        "backward",
        "grad",
        "check_gradients",
        "draw",
        "explore",
        "backward_source",
        "capture",
        "@primitive",
    ):
        assert name in tour
    assert sum(line.startswith(">>>") for line in tour.splitlines()) == 11


def test_python_suggests_public_names():
    done = subprocess.run(
        [sys.executable, "-c", "import autograd_spiral; autograd_spiral.captre"], capture_output=True, text=True
    )
    assert done.stderr.strip().endswith("has no attribute 'captre'. Did you mean: 'capture'?")
