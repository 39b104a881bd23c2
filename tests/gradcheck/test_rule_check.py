import functools
import json

import numpy as np
import pytest

from autograd_spiral.engine.declare import primitive
from autograd_spiral.engine.table import COMPOSITIONS, PRIMITIVES, Primitive
from autograd_spiral.gradcheck import rule_check
from autograd_spiral.gradcheck.examples import EXAMPLES
from autograd_spiral.gradcheck.rule_check import check_rules, checkable
from autograd_spiral.vocabulary import functions

SEEDS = (0,)
CHECKABLE = checkable()


@pytest.mark.parametrize("name", CHECKABLE)
def test_every_function_has_an_example(name):
    assert EXAMPLES.get(CHECKABLE[name])


def test_nothing_is_left_out():
    covered = set(CHECKABLE.values())
    assert {getattr(functions, name) for name in functions.__all__} <= covered
    assert {
        f for f in COMPOSITIONS if (getattr(f, "__module__", None) or "numpy").startswith("numpy")
    } <= covered  # not all ufuncs know
    assert {f for f in PRIMITIVES if isinstance(f, np.ufunc)} <= covered
    assert {np.ndarray.astype, functions.relu, functions._label_cross_entropy} <= covered


@functools.cache
def report_of(name, seed):
    return check_rules([name], seed=seed)


def is_checked_here(place, function):
    """Whether the function has a rule, or is one of a few compositions: all of them have tests of their own."""
    return place % 5 == 0 if function in COMPOSITIONS else True


@pytest.mark.parametrize("name", [name for i, (name, f) in enumerate(CHECKABLE.items()) if is_checked_here(i, f)])
def test_every_rule_passes(name):
    for seed in SEEDS:
        report = report_of(name, seed)
        assert report.ok, str(report)
        assert report.rows


def test_kinks_are_met_and_accepted():
    for name in ("relu", "np.absolute", "np.maximum", "np.where", "np.max", "leaky_relu"):
        assert sum(row.kinks for row in report_of(name, 0).rows)


def spoiled(monkeypatch, function, vjp):
    """Give `function` another rule for its first argument."""
    row = PRIMITIVES[function]
    wrong = Primitive(function, (vjp, *row.vjps[1:]), bind=row.bind, evaluate=row.evaluate, body=row.body)
    monkeypatch.setitem(PRIMITIVES, function, wrong)


def test_a_wrong_rule_is_found(monkeypatch):
    spoiled(monkeypatch, np.exp, lambda ct, out, x: ct * out * 1.001)
    report = check_rules(["exp", "log"])
    assert not report.ok
    exp, log = report.rows
    assert (exp.order1, exp.float32, log.order1) == ("wrong", "wrong", "ok")
    assert "0.1 % too large" in exp.says
    assert "2 rows: 1 not ok" in str(report)


def test_a_rule_that_detaches_its_cotangent_is_found(monkeypatch):
    spoiled(monkeypatch, np.exp, lambda ct, out, x: (ct.detach() if hasattr(ct, "detach") else ct) * out)
    report = check_rules(["exp"])
    right, detached = report.rows
    assert not report.ok
    assert (right.ok, detached.order1, detached.order2) == (True, "no gradient", "wrong")
    assert detached.argument == "cotangent (2, 3)"


def test_a_rule_that_widens_the_dtype_is_found(monkeypatch):
    spoiled(monkeypatch, np.exp, lambda ct, out, x: (ct * out).astype(np.float64))
    (row,) = check_rules(["exp"]).rows
    assert (row.order1, row.float32) == ("ok", "wrong dtype")
    assert "np.exp returned float64 for argument 0, a float32" in row.says


def test_a_rule_of_the_wrong_shape_is_found(monkeypatch):
    spoiled(monkeypatch, np.exp, lambda ct, out, x: (ct * out)[0])
    (row,) = check_rules(["exp"]).rows
    assert row.order1 == "error"
    assert "RuleError" in row.says
    assert not row.ok


def test_a_broadcast_of_the_shape_is_fine(monkeypatch):
    spoiled(monkeypatch, np.exp, lambda ct, out, x: np.broadcast_to(ct * out / 4, (4, *x.shape)))
    assert check_rules(["exp"]).ok


def test_a_function_without_an_example_is_not_ok(monkeypatch):
    monkeypatch.delitem(EXAMPLES, np.exp)
    report = check_rules(["exp"])
    assert not report.ok
    assert report.rows[0].order1 == "no example"


def test_primitives_of_others_are_not_run_over():
    @primitive(lambda ct, out, x: ct)
    def mine(x):
        return x + 0

    assert mine not in checkable().values()


def test_reports_print_and_dump():
    report = check_rules(["exp", "isnan"])
    assert str(report).endswith("2 rows: all ok")
    plain = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert plain["ok"] is True
    assert [row["primitive"] for row in plain["rows"]] == ["np.exp", "np.isnan"]
    assert plain["rows"][1]["order1"] == "no gradient"


def test_unknown_names_are_refused_with_a_hint():
    with pytest.raises(ValueError, match=r"no function called 'softmx' to check: did you mean .*softmax"):
        check_rules(["softmx"])
    assert rule_check.check_rules(["np.exp"]).rows == check_rules(["exp"]).rows
