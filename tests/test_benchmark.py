"""The benchmark measures what it says: all contenders may use the same cores and number of threads."""

import importlib.util
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[1] / "demos" / "benchmark.py"


def loaded():
    """The script as a module; it finds its contenders by a path that it adds."""
    spec = importlib.util.spec_from_file_location("benchmark", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    before = sys.path[:]
    spec.loader.exec_module(module)
    sys.path[:] = before
    return module


benchmark = loaded()


@pytest.fixture
def eight_cores(monkeypatch):
    """Have cores 4 to 11, and note what is pinned instead of pinning it."""
    pinned = []
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(4, 12)), raising=False)
    monkeypatch.setattr(os, "sched_setaffinity", lambda *given: pinned.append(given), raising=False)
    return pinned


@pytest.mark.parametrize(("cores", "says"), [(1, "pinned to core 4"), (3, "pinned to cores 4, 5, 6")])
def test_this_process_is_pinned_and_says_so(eight_cores, cores, says):
    assert benchmark.pin(cores).endswith(says)
    assert eight_cores == [(0, list(range(4, 4 + cores)))]


def test_more_threads_than_cores_are_refused(eight_cores):
    with pytest.raises(ValueError, match="8 cores to use, not 9"):
        benchmark.pin(9)
    assert eight_cores == []


def test_where_nothing_can_be_pinned_the_output_says_so(monkeypatch):
    monkeypatch.delattr(os, "sched_setaffinity", raising=False)
    assert "not pinned" in benchmark.pin(1)


def test_contenders_get_the_threads_and_no_tuning_of_openblas(monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    monkeypatch.setenv("OPENBLAS_L2_SIZE", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    variables = benchmark.environment(2)
    assert {variables[f"{name}_NUM_THREADS"] for name in ("OPENBLAS", "OMP", "MKL")} == {"2"}
    assert not variables.keys() & {"OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"}
    assert variables["PYTHONPATH"].split(os.pathsep) == [str(SCRIPT.parents[1]), "elsewhere"]


@pytest.mark.parametrize("words", [["--threads", "0"], ["--threads", "many"], ["--threads", "9"], ["--tables", "none"]])
def test_bad_options_are_usage_errors(eight_cores, words, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["benchmark.py", *words])
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(SystemExit) as stop:
        benchmark.main()
    assert stop.value.code == 2
    assert words[0] in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system pins no processes")
def test_a_contender_runs_on_the_core_that_was_chosen(tmp_path):
    before = os.sched_getaffinity(0)
    code = (
        f"import sys; sys.path.insert(0, {str(SCRIPT.parent)!r}); import os, subprocess, benchmark; benchmark.pin(1); "
    )
    code += "subprocess.run([sys.executable, '-c', 'import os; print(os.sched_getaffinity(0))'])"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str({min(before)})


@pytest.mark.parametrize("title", [*benchmark.MODELS, *benchmark.MLPS])
def test_all_that_train_a_model_compute_the_same_losses(title):
    model = {**benchmark.MODELS, **benchmark.MLPS}[title]
    contenders = benchmark.contenders_of(model, tuned=title in benchmark.MLPS)
    numpy_alone = [one.build() for one in contenders.values() if one.module in ("autograd_spiral", "numpy")]
    assert len(numpy_alone) == (4 if title in benchmark.MLPS else 3)
    tolerance = 1e-12 if model.dtype is np.float64 else 1e-5
    for _ in range(3):
        first, *others = (float(step()) for step in numpy_alone)
        assert np.allclose(others, first, rtol=tolerance, atol=0)


def test_all_ways_to_train_the_net_compute_the_same_losses():
    steps = [benchmark.by_hand, benchmark.tuned, benchmark.eager, benchmark.replayed]
    steps += [benchmark.replayed_without_blocks, benchmark.replayed_by_threads]
    first, *others = [[float(step()) for _ in range(3)] for step in (build() for build in steps)]
    assert np.allclose(others, first, rtol=1e-12, atol=0)


@pytest.mark.parametrize("title", [*benchmark.MODELS, *benchmark.MLPS])
def test_replay_makes_a_call_for_an_equation_and_allocates_nothing_but_results(title):
    from autograd_spiral import capture
    from autograd_spiral.program.ir import shape_of
    from autograd_spiral.program.passes.pipeline import readable
    from autograd_spiral.program.running.kernels.table import with_kernels
    from autograd_spiral.program.running.replay import generate

    model, steps = {**benchmark.MODELS, **benchmark.MLPS}[title], []
    benchmark.libraries.eager(model, lambda step: steps.append(capture(step)) or steps[0])()
    program = steps[0].program
    code, equations = generate(with_kernels(readable(program))), readable(program).equations
    broadcast = [e for e in equations if e.elementwise and len({shape_of(atom) for atom in e.inputs} - {()}) > 1]
    lines = [line for line in code.lines if not line.startswith(("out", "return"))]
    assert len(lines) <= len(equations) + len(broadcast) + 2  # a row or column is copied to a full array

    run = code.function([f"x{i}" for i in range(len(program.inputs) + len(program.state))])
    _, batches = model.start()
    arrays = [*next(batches), *(leaf.data for leaf in program.leaves)]
    tracemalloc.start()
    run(*arrays)
    tracemalloc.reset_peak()
    before, _ = tracemalloc.get_traced_memory()
    results = run(*arrays)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    buffers_of_numpy = 3 * 2**16  # in which it converts 8,192 numbers at a time
    assert peak - before <= sum(array.nbytes for array in results) + buffers_of_numpy
