import json

import pytest

from autograd_spiral.gradcheck.report import CheckReport, InputReport, Verdict, Worst, table


def row(counts, *, worst=None, order=1, judged="elements", diagnosis=""):
    return InputReport("x", (2, 2), "float64", order, judged, counts, worst, diagnosis)


@pytest.mark.parametrize(
    ("counts", "ok", "verdict"),
    [
        ({Verdict.OK: 4}, True, "ok"),
        ({Verdict.OK: 3, Verdict.KINK: 1}, True, "ok"),
        ({Verdict.OK: 2, Verdict.NOISE: 2}, True, "ok"),
        ({Verdict.OK: 1, Verdict.NOISE: 3}, None, "undecided"),
        ({Verdict.NOISE: 3, Verdict.WRONG: 1}, False, "wrong"),
        ({Verdict.NAN: 4}, False, "wrong"),
        ({Verdict.WRONG_SHAPE: 4}, False, "wrong"),
        ({Verdict.WRONG_DTYPE: 4}, False, "wrong"),
        ({Verdict.NOT_DETERMINISTIC: 4}, False, "wrong"),
        ({Verdict.OVERWRITTEN: 4}, False, "wrong"),
        ({}, True, "ok"),
    ],
)
def test_the_verdict_of_a_report(counts, ok, verdict):
    report = CheckReport("f", (row(counts),))
    assert report.ok is ok
    assert report.verdict == verdict
    assert str(report).startswith(f"f: {verdict}\n")
    assert json.loads(json.dumps(report.to_json()))["ok"] is ok


def test_the_verdict_of_a_row_is_the_gravest():
    assert row({Verdict.OK: 3, Verdict.KINK: 1}).verdict is Verdict.KINK
    assert row({Verdict.OK: 1, Verdict.NOISE: 3}).verdict is Verdict.NOISE
    assert row({Verdict.NOISE: 3, Verdict.WRONG: 1}).verdict is Verdict.WRONG
    assert row({Verdict.WRONG: 3, Verdict.NAN: 1}).verdict is Verdict.NAN


def test_tables_name_the_element_the_numbers_and_the_diagnosis():
    worst = Worst((1, 0), 1.0, 0.5, 1e-11, 0.5, 1e-11)
    text = str(CheckReport("f", (row({Verdict.OK: 3, Verdict.WRONG: 1}, worst=worst, diagnosis="sign flipped"),)))
    assert "(1, 0)    1         0.5 ± 1e-11" in text
    assert text.endswith("sign flipped")
    shape = row({Verdict.WRONG_SHAPE: 4}, diagnosis="shape (2,) for an input of shape (2, 2)")
    assert str(CheckReport("f", (shape,))).endswith("wrong shape: shape (2,) for an input of shape (2, 2)")
    along = row({Verdict.OK: 3}, worst=Worst(None, 1.0, 1.0, 1e-9, 0.0, 1e-9), judged="directions")
    assert str(CheckReport("f", (along,))).endswith("(of directions)")


def test_json_has_no_infinities():
    worst = Worst((0, 0), float("nan"), 0.5, float("inf"), float("nan"), float("inf"))
    plain = CheckReport("f", (row({Verdict.NAN: 4}, worst=worst),)).to_json()
    text = json.dumps(plain, allow_nan=False)
    assert json.loads(text)["inputs"][0]["worst"] == {
        "index": [0, 0],
        "analytic": None,
        "numeric": 0.5,
        "bound": None,
        "error": None,
        "error_bound": None,
    }
    assert json.loads(text)["inputs"][0]["counts"] == {"nan": 4}


def test_columns_line_up():
    assert table(("a", "long"), [("wide", "b"), ("c", "")]) == "a     long\nwide  b\nc"
