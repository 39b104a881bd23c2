"""The command `train`: its log, the published losses next to it, the files that it writes, and runs that fail."""

import json
import re
from pathlib import Path

import pytest

from autograd_spiral.drawing import Drawing
from autograd_spiral.spiral import plots


@pytest.mark.usefixtures("without_plots")
def test_the_linear_log_is_next_to_the_published_one(run):
    status, out, _ = run("--model", "linear")
    assert status == 0
    rows = re.findall(r"^iteration (\d+): loss (\S+) +published (\S+)$", out, re.MULTILINE)
    assert [int(i) for i, _, _ in rows] == list(range(0, 200, 10))
    assert all(ours == theirs for _, ours, theirs in rows)
    assert re.search(r"^training accuracy: 0.49 +published 0.49$", out, re.MULTILINE)
    assert "20 of 20 losses equal" in out


@pytest.mark.parametrize(
    "change",
    [
        ["--seed", "0"],
        ["--steps", "20"],
        ["--points", "11"],
        ["--classes", "2"],
        ["--hidden", "7"],
        ["--step-size", "0.5"],
        ["--reg", "0"],
    ],
)
@pytest.mark.usefixtures("without_plots")
def test_a_changed_run_has_no_published_column(run, change):
    status, out, _ = run("--model", "linear", *change)
    assert status == 0
    assert "iteration 0: loss" in out
    assert "published" not in out


def test_every_file_is_named_and_written(run):
    _, out, err = run("--steps", "3", "--points", "5", "--hidden", "4")
    written = re.findall(r"^wrote (.+)$", out, re.MULTILINE)
    assert sorted(written) == sorted(map(str, Path("out").iterdir()))
    if plots.available():
        names = {"spiral.png", "linear-boundary.png", "net-boundary.png", "net-hidden.png", "loss.png"}
        assert {str(Path("out", name)) for name in names} <= set(written)
    else:
        assert "pip install 'autograd-spiral[plot]'" in err


def test_a_folder_that_cannot_be_written_ends_before_training(run, tmp_path):
    (tmp_path / "out").write_text("a file stands where the folder should be")
    status, out, err = run("--model", "linear")
    assert (status, out) == (2, "")
    assert "cannot write to the folder" in err


def test_divergence_ends_with_one_line_and_status_1(run):
    status, _, err = run("--model", "linear", "--step-size", "1e300", "--steps", "100")
    assert status == 1
    assert "diverged" in err
    assert err.count("\n") == 1


@pytest.mark.usefixtures("without_plots")
def test_no_steps_still_measures_accuracy(run):
    status, out, _ = run("--steps", "0")
    assert status == 0
    assert out.count("training accuracy") == 2


@pytest.mark.usefixtures("without_plots")
def test_json_is_one_object_and_all_that_is_printed(run):
    status, out, _ = run("--json", "--steps", "4", "--points", "5", "--hidden", "4")
    report = json.loads(out)
    assert status == 0
    assert [(one["model"], one["steps"], len(one["losses"])) for one in report["models"]] == [
        ("linear", 4, 4),
        ("net", 4, 4),
    ]
    assert all(0 <= one["accuracy"] <= 1 and one["published"] is None for one in report["models"])
    assert sorted(report["files"]) == sorted(map(str, Path("out").iterdir()))


@pytest.mark.usefixtures("without_plots")
def test_json_of_the_published_run_has_the_published_log(run):
    _, out, _ = run("train", "--json", "--model", "linear")
    (linear,) = json.loads(out)["models"]
    every, expected = linear["published"]["every"], linear["published"]["losses"]
    assert len(linear["losses"]) == 200
    assert [round(loss, 6) for loss in linear["losses"][::every]] == expected
    assert round(linear["accuracy"], 2) == linear["published"]["accuracy"]


def test_a_run_that_fails_prints_no_json(run):
    status, out, err = run("--json", "--model", "linear", "--step-size", "1e300", "--steps", "100")
    assert (status, out) == (1, "")
    assert "diverged" in err


@pytest.mark.usefixtures("without_plots")
def test_a_disk_that_fails_is_one_line_and_status_1(run, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Drawing, "save_as", full)
    status, _, err = run("--steps", "1", "--points", "5", "--hidden", "4")
    assert status == 1
    assert "No space left on device" in err.splitlines()[-1]


@pytest.mark.usefixtures("without_plots")
def test_eager_training_gives_what_replayed_training_gives(run):
    runs = []
    for more in ([], ["--eager"]):
        status, out, _ = run("train", "--steps", "30", "--points", "20", "--hidden", "10", "--json", *more)
        assert status == 0
        runs.append([model["losses"] for model in json.loads(out)["models"]])
    for replayed, eager in zip(*runs, strict=True):
        assert replayed == pytest.approx(eager, rel=1e-12)
