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
        ({Verdict.OK: 3, Verdict.UNJUDGED: 1}, True, "ok"),
        ({Verdict.UNJUDGED: 4}, None, "undecided"),
        ({Verdict.OK: 1, Verdict.NOISE: 2, Verdict.UNJUDGED: 1}, None, "undecided"),
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


def weighed(order=1, diagnosis="", shapes=((2, 2),), counts=None):
    worst = Worst((0, 0), 1.0, 0.5, 1e-11, 0.5, 1e-11)
    return InputReport(
        "x", (2, 2), "float64", order, "elements", counts or {Verdict.WRONG: 4}, worst, diagnosis, shapes
    )


def test_random_weights_are_told_of_below_the_table_where_something_failed():
    text = "analytic and numeric: slopes of Σ ct · output, with fixed random weights ct from ±0.5 to ±1.5"
    second = text.replace("output", "gradient")

    def last(*rows):
        return str(CheckReport("f", rows)).splitlines()[-1]

    assert last(weighed()) == f"{text}; cotangent=np.ones((2, 2)) makes them all 1"
    several = last(weighed(shapes=((), (3,))))
    assert several == f"{text}; cotangent=[np.ones(()), np.ones((3,))] makes them all 1"
    assert last(weighed(diagnosis="not linear in the cotangent")) == text
    assert last(weighed(counts={Verdict.OK: 4}), weighed(order=2)) == second
    both = last(weighed(), weighed(order=2))
    assert both.startswith(text.replace("output", "output and of Σ ct · gradient"))
    silent = (weighed(counts={Verdict.OK: 4}), weighed(shapes=()), row({Verdict.OVERWRITTEN: 4}))
    assert not any(last(*rows).startswith("analytic") for rows in ((silent[0],), silent))
    assert str(CheckReport("f", silent)).count("\n") == 4
    assert [plain["random_weights"] for plain in CheckReport("f", silent).to_json()["inputs"]] == [[[2, 2]], [], []]


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
