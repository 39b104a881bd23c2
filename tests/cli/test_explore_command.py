"""The command `explore`: a page of a model's training, as a file."""

import pytest


@pytest.mark.parametrize("model", ["linear", "net"])
def test_explore_writes_the_page_of_a_model(run, model, tmp_path):
    words = ["explore", "--model", model, "--steps", "5", "--points", "5", "--hidden", "4", "--out", "page.html"]
    assert run(*words)[:2] == (0, "wrote page.html\n")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert '"at":[0,1,2,3,4,5]' in text
    assert '"classes":[0,0,0,0,0,1' in text


def test_the_page_goes_to_the_folder_of_the_other_results(run, tmp_path):
    assert run("explore", "--steps", "1", "--points", "2", "--hidden", "2")[:2] == (0, "wrote out/explorer.html\n")
    assert (tmp_path / "out" / "explorer.html").exists()


def test_other_kinds_of_files_are_refused_before_the_training(run):
    status, _, err = run("explore", "--out", "page.svg")
    assert status == 2
    assert "must end in .html" in err


@pytest.mark.usefixtures("without_plots")
def test_the_main_run_ends_with_its_page(run, tmp_path):
    status, out, _ = run("--steps", "2", "--points", "5", "--hidden", "4")
    assert status == 0
    assert out.splitlines()[-2:] == [
        "wrote out/explorer.html",
        "open out/explorer.html in a browser to step through the net, its gradients and its training",
    ]
    assert (tmp_path / "out" / "explorer.html").exists()
    for words in (["--model", "linear"], ["--eager"], ["--steps", "0"]):  # nothing that could be explored
        status, out, _ = run("--steps", "2", "--points", "5", "--hidden", "4", *words)
        assert status == 0
        assert "explorer.html" not in out
