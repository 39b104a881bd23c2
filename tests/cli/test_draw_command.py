"""The command `draw`: graphs of both models, forward and backward, as files."""

import pytest


@pytest.mark.parametrize("model", ["linear", "net"])
@pytest.mark.parametrize("backward", [[], ["--backward"]])
def test_draw_writes_the_graph_of_a_model(run, model, backward, tmp_path):
    assert run("draw", "--model", model, *backward, "--out", "graph.dot")[:2] == (0, "wrote graph.dot\n")
    text = (tmp_path / "graph.dot").read_text(encoding="utf-8")
    assert text.startswith("digraph")
    weights = "W1" if model == "net" else "W"
    assert f"<B>{weights}</B>" in text
    assert (f"<B>d{weights}</B>" in text) == bool(backward)


def test_a_picture_of_an_unknown_format_is_status_2(run, tmp_path):
    status, _, err = run("draw", "--out", "new/graph.jpeg")
    assert status == 2
    assert not (tmp_path / "new").exists()
    assert err == (
        "autograd-spiral draw: error: argument --out: the file name must end in one of .svg, .png, .pdf, .dot, .gv, "
        "unlike 'graph.jpeg' (see autograd-spiral draw --help)\n"
    )
