import io
import json
import re
import sys
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from autograd_spiral.gradcheck import check_against, check_gradients
from autograd_spiral.gradcheck.report import CheckReport, table, wants_colours
from autograd_spiral.gradcheck.report.display import picture
from autograd_spiral.gradcheck.rule_check import RuleReport, RuleRow, check_rules
from autograd_spiral.gradcheck.verdicts import Findings, Slope, Verdict

X = np.zeros((2, 2))


def row(counts, *, worst=None, **how):
    """Findings with these counts; `worst` is the slope with the gravest of these verdicts."""
    slopes = [Slope(verdict) for verdict, count in counts.items() for _ in range(count)]
    if worst is not None:
        slopes[-1] = replace(worst, verdict=slopes[-1].verdict)
    return Findings("x", X, slopes=tuple(slopes), **how)


@pytest.mark.parametrize(
    ("counts", "ok", "verdict"),
    [
        ({Verdict.OK: 4}, True, "ok"),
        ({Verdict.OK: 3, Verdict.KINK: 1}, True, "ok"),
        ({Verdict.OK: 2, Verdict.NOISE: 2}, True, "ok"),
        ({Verdict.OK: 1, Verdict.NOISE: 3}, None, "undecided"),
        ({Verdict.OK: 3, Verdict.UNJUDGED: 1}, True, "ok"),
        ({Verdict.UNJUDGED: 4}, None, "undecided"),
        ({Verdict.OK: 1, Verdict.NOISE: 2, Verdict.UNJUDGED: 1}, None, "undecided"),
        ({Verdict.NOISE: 3, Verdict.WRONG: 1}, False, "wrong"),
        ({Verdict.NAN: 4}, False, "wrong"),
        ({}, True, "ok"),
        (Verdict.WRONG_SHAPE, False, "wrong"),
        (Verdict.WRONG_DTYPE, False, "wrong"),
        (Verdict.NOT_DETERMINISTIC, False, "wrong"),
        (Verdict.OVERWRITTEN, False, "wrong"),
    ],
)
def test_the_verdict_of_a_report(counts, ok, verdict):
    report = CheckReport("f", (row(counts) if isinstance(counts, dict) else row({}, fault=counts),))
    assert report.ok is ok
    assert report.verdict == verdict
    assert str(report).startswith(f"f: {verdict}\n")
    assert json.loads(json.dumps(report.to_dict()))["ok"] is ok


def test_the_verdict_of_a_row_is_the_gravest():
    assert row({Verdict.OK: 3, Verdict.KINK: 1}).verdict is Verdict.KINK
    assert row({Verdict.OK: 1, Verdict.NOISE: 3}).verdict is Verdict.NOISE
    assert row({Verdict.NOISE: 3, Verdict.WRONG: 1}).verdict is Verdict.WRONG
    assert row({Verdict.WRONG: 3, Verdict.NAN: 1}).verdict is Verdict.NAN


def test_tables_name_the_element_the_numbers_and_the_diagnosis():
    worst = Slope(Verdict.WRONG, 1.0, 0.5, 1e-11, index=(1, 0))
    text = str(CheckReport("f", (row({Verdict.OK: 3, Verdict.WRONG: 1}, worst=worst, diagnosis="sign flipped"),)))
    assert "(1, 0)    0      1         0.5 ± 1e-11" in text
    assert text.endswith("sign flipped")
    shape = row({}, fault=Verdict.WRONG_SHAPE, diagnosis="shape (2,) for an input of shape (2, 2)")
    assert str(CheckReport("f", (shape,))).endswith("wrong shape: shape (2,) for an input of shape (2, 2)")
    along = row({Verdict.OK: 1}, worst=Slope(Verdict.OK, 1.0, 1.0, 1e-9), judged="directions")
    assert str(CheckReport("f", (along,))).endswith("(of directions)")


def weighted(shapes=((2, 2),), counts=None, **how):
    worst = Slope(Verdict.WRONG, 1.0, 0.5, 1e-11, index=(0, 0))
    return row(counts or {Verdict.WRONG: 4}, worst=worst, random_weights=shapes, **how)


def test_random_weights_are_told_of_below_the_table_where_something_failed():
    text = "analytic and numeric: slopes of Σ ct · output, with fixed random weights ct from ±0.5 to ±1.5"
    second = text.replace("output", "gradient")

    def last(*rows):
        return str(CheckReport("f", rows)).splitlines()[-1]

    assert last(weighted()) == f"{text}; cotangent=np.ones((2, 2)) makes them all 1"
    several = last(weighted(shapes=((), (3,))))
    assert several == f"{text}; cotangent=[np.ones(()), np.ones((3,))] makes them all 1"
    assert last(weighted(diagnosis="not linear in the cotangent")) == text
    assert last(weighted(counts={Verdict.OK: 4}), weighted(order=2)) == second
    both = last(weighted(), weighted(order=2))
    assert both.startswith(text.replace("output", "output and of Σ ct · gradient"))
    silent = (weighted(counts={Verdict.OK: 4}), weighted(shapes=()), row({}, fault=Verdict.OVERWRITTEN))
    assert not any(last(*rows).startswith("analytic") for rows in ((silent[0],), silent))
    assert str(CheckReport("f", silent)).count("\n") == 4
    assert [plain["random_weights"] for plain in CheckReport("f", silent).to_dict()["inputs"]] == [[[2, 2]], [], []]


def test_json_has_no_infinities():
    worst = Slope(Verdict.NAN, np.nan, 0.5, np.inf, index=(0, 0))
    plain = CheckReport("f", (row({Verdict.NAN: 1}, worst=worst),)).to_dict()
    text = json.dumps(plain, allow_nan=False)
    assert json.loads(text)["inputs"][0]["worst"] == {
        "index": [0, 0],
        "analytic": None,
        "numeric": 0.5,
        "bound": None,
        "error": None,
        "error_bound": None,
    }
    assert json.loads(text)["inputs"][0]["counts"] == {"nan": 1}
    rule = RuleReport((RuleRow("np.exp", "", "error", "error", "error", np.nan, np.inf, says="ValueError: no"),))
    (plain,) = json.loads(json.dumps(rule.to_dict(), allow_nan=False))["rows"]
    assert (plain["error"], plain["bound"], plain["says"], plain["ok"]) == (None, None, "ValueError: no", False)


def test_the_keys_of_json_stay():
    report = CheckReport("f", (weighted(),)).to_dict()
    assert list(report) == ["subject", "ok", "verdict", "method", "inputs"]
    assert list(report["inputs"][0]) == [
        *("name", "shape", "dtype", "order", "verdict", "judged", "counts", "worst", "value", "diagnosis"),
        "random_weights",
    ]
    assert list(report["inputs"][0]["worst"]) == ["index", "analytic", "numeric", "bound", "error", "error_bound"]
    rules = RuleReport((RuleRow("np.exp", "0 (3,)", "ok", "ok", "ok"),)).to_dict()
    assert list(rules) == ["ok", "rows"]
    assert list(rules["rows"][0]) == [
        *("primitive", "argument", "order1", "order2", "float32", "error", "bound", "kinks", "says", "ok")
    ]


def test_columns_line_up():
    assert table(("a", "long"), [("wide", "b"), ("c", "")]) == "a     long\nwide  b\nc"


# --- colours, HTML, pictures ----------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("variables", "wanted"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_colours_are_for_terminals_and_can_be_refused(variables, wanted, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert wants_colours(Terminal()) is wanted
    assert wants_colours(io.StringIO()) is False
    report = check_gradients(np.sin, np.ones(2))
    for stream in (Terminal(), io.StringIO()):
        monkeypatch.setattr(sys, "stdout", stream)
        report.show()
        assert ("\x1b[32mok" in stream.getvalue()) is (wanted and stream.isatty())


def wrong_in_a_row():
    x = np.ones((4, 5))
    return check_against(
        lambda x: np.sum(x * x), 2 * x * (1 + (np.arange(4) == 2))[:, None], x, raise_on_mismatch=False
    )


def test_colours_change_nothing_else():
    for report in (wrong_in_a_row(), check_gradients(np.abs, np.array([-1.0, 0.0, 2.0])), check_rules(["exp"])):
        assert re.sub(r"\x1b\[\d+m", "", report.coloured()) == str(report)
        assert "\x1b[" in report.coloured()


def test_a_report_is_html_in_a_notebook():
    page = wrong_in_a_row()._repr_html_()
    assert page.count("<tr>") == 2
    assert '<span style="color:#cf222e">✗</span>' in page
    tree = ElementTree.fromstring(f"<div>{page}</div>")
    text = " ".join("".join(tree.itertext()).split())
    assert "x(4, 5)1150052.00 × too large" not in text  # cells are apart
    assert {cell.text for cell in tree.iter("td")} >= {"x", "(4, 5)"}
    escaped = CheckReport("<lambda>", ())._repr_html_()
    assert "&lt;lambda&gt;" in escaped


def test_a_picture_shows_where_a_matrix_is_wrong():
    lines = str(wrong_in_a_row()).splitlines()
    assert lines[2].endswith("2.00 × too large, 5 of 20 elements: in row 2")
    assert lines[3:8] == ["x, · ok, ✗ wrong:", "  · · · · ·", "  · · · · ·", "  ✗ ✗ ✗ ✗ ✗", "  · · · · ·"]


def drawn(verdicts, shape=None):
    shape = shape or np.shape(verdicts)
    flat = np.ravel(np.array(verdicts, dtype=object))
    slopes = [Slope(v, 2.0, 1.0, 1e-9, index=i) for i, v in zip(np.ndindex(shape), flat, strict=True) if v is not None]
    return picture(Findings("x", np.zeros(shape), slopes=tuple(slopes)))


def test_pictures_of_vectors_of_stacks_and_of_large_matrices():
    ok, kink, noise, wrong = Verdict.OK, Verdict.KINK, Verdict.NOISE, Verdict.WRONG
    assert drawn([ok, kink, noise, wrong]) == ["x, · ok, k kink, ~ noise, ✗ wrong:", "  · k ~ ✗"]
    assert drawn([[[ok, wrong]], [[ok, ok]]])[1:] == ["  · ✗", "  · ·"]
    large = [[ok] * 90 for _ in range(100)]
    large[70][3] = wrong
    lines = drawn(large)
    assert lines[0] == "x, rows 64 to 75 of 100, columns 0 to 39 of 90, · ok, ✗ wrong:"
    assert len(lines) == 13
    assert lines[7].split().index("✗") == 3
    assert drawn([wrong, wrong]) == []  # says nothing that the table does not
    assert drawn([wrong, ok, None, None, None]) == []  # and neither do a few of many


def test_the_value_of_the_input_stands_by_the_worst_element():
    x = np.array([1.0, -2.5, 3.0])
    report = check_against(lambda x: np.sum(x**3), 3 * x**2 + [0, 1, 0], x, raise_on_mismatch=False)
    assert "(1,)      -2.5   19.75" in str(report)
    assert report.to_dict()["inputs"][0]["value"] == -2.5
