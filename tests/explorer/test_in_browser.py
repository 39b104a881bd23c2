"""The page in a real browser: keys, sliders, search, folding, source, values and contrast, without any errors."""

import contextlib
import re
import shutil

import numpy as np
import pytest

from autograd_spiral import Tensor, capture, explore, grad, scope
from autograd_spiral.spiral import LinearClassifier, TwoLayerNet, descent, spiral

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install -e '.[test-browser]'")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SCOPES = ['["layer 1"]', '["layer 2"]', '["L2 penalty"]', '["loss"]']
SIZES = {"desktop": (1280, 800), "small": (1000, 650), "phone": (390, 844)}
HOSTILE = [
    *(
        'a"b',
        "a\\b\\N\\n",
        "<B>x</B>",
        "&lt;",
        "$(rm) `ls`;",
        "label=<>",
        "-->",
        "é ∂ 日本",
        "\\",
        "{|}",
        "%s",
        "{{data}}",
    ),
    *(
        "</script><script>window.hacked = 1</script>",
        "<img src=x onerror='window.hacked = 1'>",
        "<!--",
        "$&",
        "line\nend",
    ),
]


@pytest.fixture(scope="module")
def browser():
    """One browser for this file alone: while it runs, this thread can run no other event loop."""
    with sync_api.sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=CHROMIUM)
        except sync_api.Error as error:
            pytest.skip(f"no browser: {error.message.splitlines()[0]}")
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def opened(browser, tmp_path_factory):
    """Return a context in which a page is open; it ends with a check that the page logged and asked for nothing."""

    @contextlib.contextmanager
    def opened(page, size="desktop", scheme="light", motion="reduce"):
        path = page.save_as(tmp_path_factory.mktemp("page") / "explorer.html")
        width, height = SIZES[size]
        look = {"color_scheme": scheme, "reduced_motion": motion}  # no test waits for colours or boxes to arrive
        tab = browser.new_page(viewport={"width": width, "height": height}, **look)
        tab.set_default_timeout(60_000)  # other programs may keep this machine busy
        troubles, requests = [], []
        tab.on("console", lambda message: troubles.append(message.text))
        tab.on("pageerror", lambda error: troubles.append(str(error)))
        tab.on("request", lambda request: requests.append(request.url))
        try:
            tab.goto(path.as_uri())
            tab.wait_for_selector("html[data-ready]", state="attached")
            yield tab
            assert troubles == []
            assert [url for url in requests if url not in (path.as_uri(), "data:,")] == []
        finally:
            tab.close()

    return opened


@pytest.fixture(scope="module")
def net():
    """A small net after some training, and its record."""
    rng = np.random.default_rng(0)
    X, y = spiral(20, 3, generator=rng)
    model = TwoLayerNet.random(rng, hidden=30)
    record = explore.training(descent(model), regions=(X, y, model.predict))
    for _ in range(40):
        record(X, y)
    return explore(record), record, (X, y, model)


def box(tab, name):
    """The box that is called so; of a parameter, not its new state."""
    exact = re.compile(f"^{re.escape(name)}$")
    return tab.locator("g.box:not(.new_state)", has=tab.locator("text.name", has_text=exact)).first


def heading(tab):
    return tab.locator("#panel h2").inner_text()


def slider(tab, name):
    return int(tab.locator(f"#{name}").input_value())


def marked_line(tab):
    return tab.locator("#source li.here .code").inner_text().strip()


def shown_number(text):
    return float(text.replace("−", "-"))


# --- steps ------------------------------------------------------------------------------------------------------------


def test_the_sliders_keep_their_length(opened, net):
    with opened(net[0]) as tab:
        widths = set()
        for position in range(int(tab.locator("#time").get_attribute("max")) + 1):
            tab.locator("#time").fill(str(position))
            widths.add(tab.locator("#time").bounding_box()["width"])
        assert len(widths) == 1


def test_on_a_phone_the_values_are_one_tap_away(opened, net):
    with opened(net[0], size="phone") as tab:
        box(tab, "h").click()
        summary = tab.locator("#summary")
        assert summary.inner_text() == "values ↓ h = maximum(X @ W1 + b1, 0)"
        assert tab.locator("#panel").bounding_box()["y"] > SIZES["phone"][1]
        summary.click()
        assert abs(tab.locator("#panel").bounding_box()["y"]) < 5
        tab.locator("#fit").click()  # what it shows can be read
        assert tab.locator("g.box text.name").first.bounding_box()["height"] > 8


def test_keys_go_through_the_computation_in_its_order(opened, net):
    with opened(net[0]) as tab:
        last = int(tab.locator("#time").get_attribute("max"))
        assert slider(tab, "time") == last > 15
        assert tab.locator("g.box.todo").count() == 0
        tab.keyboard.press("Home")
        assert slider(tab, "time") == 0
        assert tab.locator("g.box.todo").count() == last
        seen = []
        for _ in range(last):
            tab.keyboard.press("ArrowRight")
            seen.append(tab.locator("#position").inner_text().split(" · ")[1].split(":")[0])
            assert tab.locator("g.box.current").count() == 1
        assert seen == sorted(seen, key=["forward", "backward", "update"].index)
        assert set(seen) == {"forward", "backward", "update"}
        tab.keyboard.press("ArrowRight")
        assert slider(tab, "time") == last
        tab.keyboard.press("ArrowLeft")
        assert slider(tab, "time") == last - 1
        assert tab.locator("g.box.todo").count() == 1
        tab.keyboard.press("End")
        assert slider(tab, "time") == last


def test_at_the_ends_keys_do_nothing(opened, net):
    with opened(net[0]) as tab:
        before = heading(tab)
        assert before.startswith("loss")
        assert "all computed" in tab.locator("#position").inner_text()
        tab.keyboard.press("ArrowRight")
        assert heading(tab) == before
        tab.keyboard.press("Home")
        box(tab, "loss").click()
        tab.keyboard.press("ArrowLeft")
        assert heading(tab) == before


def test_folding_keeps_the_place(opened, net):
    with opened(net[0]) as tab:
        tab.keyboard.press("Home")
        for _ in range(11):
            tab.keyboard.press("ArrowRight")
        place, todo = tab.locator("#position").inner_text(), tab.locator("g.box.todo").count()
        computed = tab.evaluate("explorer.reached")
        for _ in range(2):
            tab.keyboard.press("f")
            assert tab.evaluate("explorer.reached") >= computed
            assert tab.locator("g.box.current").count() == 1
            folded = tab.locator("g.box.current").get_attribute("class")
            tab.keyboard.press("f")
            assert "scope" in folded
            fill = tab.evaluate("getComputedStyle(document.activeElement.querySelector('.target')).fill")
            assert fill == "rgba(0, 0, 0, 0)"  # the focus is an outline, and no mark
            assert (tab.locator("#position").inner_text(), tab.locator("g.box.todo").count()) == (place, todo)


def test_what_is_not_computed_says_so(opened, net):
    with opened(net[0]) as tab:
        tab.keyboard.press("Home")
        box(tab, "h").click()
        assert not tab.locator("#panel .heat").first.is_visible()
        assert "This value is not computed yet" in tab.locator("#panel .none").inner_text()
        tab.keyboard.press("ArrowRight")
        assert tab.locator("#panel .heat").first.is_visible()
        assert not tab.locator("#panel .heat").nth(1).is_visible()  # its gradient comes later
        assert "The gradient of h is not computed yet" in tab.locator("#panel .none").inner_text()
        tab.keyboard.press("Home")
        box(tab, "dscores").click()
        assert "not computed yet" in tab.locator("#panel .facts").inner_text()
        assert "not computed yet" in box(tab, "dscores").get_attribute("aria-label")
        tab.keyboard.press("End")
        assert "not computed yet" not in tab.locator("#panel .facts").inner_text()


def test_space_plays_and_stops(opened, net):
    with opened(net[0]) as tab:
        tab.clock.install()  # from here on, its time passes as the test says
        tab.keyboard.press("Home")
        tab.keyboard.press("Space")
        tab.clock.run_for(3_000)
        assert 2 <= slider(tab, "time") < 10
        assert tab.locator("#play").inner_text() == "Stop"
        tab.keyboard.press("Space")
        assert tab.locator("#play").inner_text() == "Play"
        place = slider(tab, "time")
        tab.clock.run_for(3_000)
        assert slider(tab, "time") == place


def test_the_sliders_and_the_buttons_do_what_the_keys_do(opened, net):
    with opened(net[0]) as tab:
        tab.locator("#time").fill("3")
        assert tab.locator("#position").inner_text().startswith("step 3 of")
        tab.locator("#next").click()
        assert slider(tab, "time") == 4
        tab.locator("#back").click()
        tab.locator("#back").click()
        assert slider(tab, "time") == 2
        tab.locator("#first").click()
        assert slider(tab, "time") == 0
        tab.locator("#last").click()
        assert slider(tab, "time") == int(tab.locator("#time").get_attribute("max"))


# --- the picture ------------------------------------------------------------------------------------------------------


def rectangles(tab, selector):
    return [
        (r["x"], r["y"], r["x"] + r["width"], r["y"] + r["height"])
        for r in tab.evaluate(
            f"[...document.querySelectorAll('{selector}')].map(e => e.getBoundingClientRect().toJSON())"
        )
    ]


def require_free_boxes(tab):
    """Check that no box lies on another one, and that no edge crosses a box."""
    boxes = rectangles(tab, "g.box .shape")
    for i, (left, top, right, bottom) in enumerate(boxes):
        for other in boxes[:i]:
            assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top
    points = tab.evaluate("""[...document.querySelectorAll('.edge:not(.marked *) path:not(.tip)')].flatMap(path => {
        const length = path.getTotalLength(), turn = path.getScreenCTM();
        return Array.from({length: 60}, (_, i) => {
            const p = path.getPointAtLength(length * i / 59).matrixTransform(turn);
            return [p.x, p.y];
        });
    })""")
    slack = 1.5
    inside = [
        (x, y)
        for x, y in points
        for left, top, right, bottom in boxes
        if left + slack < x < right - slack and top + slack < y < bottom - slack
    ]
    assert len(points) > 500
    assert inside == []


@pytest.mark.parametrize("by_line", [True, False])
def test_no_box_lies_on_another_and_no_edge_crosses_one(opened, net, by_line):
    with opened(net[0]) as tab:
        if not by_line:
            tab.locator("#lines").click()
        require_free_boxes(tab)


ROWS = """() => {  // for each row of each phase, its boxes from left to right
  const { visible: { nodes }, placed: { x, y } } = explorer.picture;
  const rows = new Map();
  [...nodes.keys()].sort((a, b) => x[a] - x[b]).forEach(k => {
    const row = `${nodes[k].phase} ${y[k]}`;
    rows.set(row, [...(rows.get(row) ?? []), nodes[k].path ? nodes[k].key : nodes[k].main]);
  });
  return [...rows.values()];
}"""


@pytest.mark.parametrize("seed", range(3))
def test_what_stood_left_of_another_box_stays_left_of_it(opened, net, seed):
    """Whatever is folded and unfolded, and however often, no two boxes of a row are ever seen in the other order."""
    rng, seen = np.random.default_rng(seed), set()
    with opened(net[0]) as tab:
        for _ in range(25):
            now = {(a, b) for row in tab.evaluate(ROWS) for i, b in enumerate(row) for a in row[:i]}
            assert not {(b, a) for a, b in now} & seen
            seen |= now
            lines = tab.evaluate("[...new Set(explorer.picture.visible.nodes.map(n => n.line).filter(n => n))]")
            if lines and rng.random() < 0.6:
                tab.evaluate("line => explorer.foldLine(line)", int(rng.choice(lines)))
            else:
                tab.evaluate("path => explorer.foldScope(JSON.parse(path))", str(rng.choice(SCOPES)))
        assert len(seen) > 12
        tab.locator("#unfold").click(force=True)  # if anything is folded
        require_free_boxes(tab)


def in_sight(tab, *boxes):
    place = tab.locator("#picture").bounding_box()
    for at in (one.bounding_box() for one in boxes):
        assert place["x"] <= at["x"]
        assert at["x"] + at["width"] <= place["x"] + place["width"]
        assert place["y"] <= at["y"]
        assert at["y"] + at["height"] <= place["y"] + place["height"]


def test_a_line_that_unfolds_stays_in_sight_with_the_box_that_uses_it(opened, net):
    with opened(net[0]) as tab:
        box(tab, "reg_loss").dblclick()
        in_sight(tab, box(tab, "reg_loss"), box(tab, "loss"), *tab.locator("g.box", has_text="W1²").all())
        assert heading(tab).startswith("reg_loss")
        tab.keyboard.press("Enter")
        in_sight(tab, box(tab, "reg_loss"), box(tab, "loss"))


@pytest.mark.parametrize("size", ["desktop", "small"])
def test_what_is_selected_stays_in_sight_when_others_unfold(opened, net, size):
    with opened(net[0], size=size) as tab:
        for line in tab.evaluate("[...new Set(explorer.picture.visible.nodes.map(n => n.line).filter(n => n))]"):
            box(tab, "loss").click()
            tab.evaluate("line => explorer.foldLine(line)", line)
            in_sight(tab, box(tab, "loss"))
        for path in SCOPES:
            tab.evaluate("path => explorer.foldScope(JSON.parse(path))", path)
            in_sight(tab, tab.locator("g.box.selected"))


def test_a_scope_that_is_folded_stays_where_it_is(opened, net):
    with opened(net[0]) as tab:
        tab.locator("#smaller").click()  # all of it is in sight, so that nothing else makes it move
        fold = tab.locator("g.fold[aria-label='scope L2 penalty']")
        for _ in range(2):
            before = fold.bounding_box()
            fold.click()
            after = fold.bounding_box()
            assert (after["x"], after["y"]) == pytest.approx((before["x"], before["y"]), abs=1)


def test_boxes_glide_to_where_they_are_unless_motion_is_unwanted(opened, net):
    moving = """() => {
      explorer.foldLine(explorer.data.boxes.find(box => box.name === 'reg_loss').line);
      return document.getAnimations().length;
    }"""
    ended = "Promise.all(document.getAnimations().map(animation => animation.finished)).then(() => 0)"
    places = "[...document.querySelectorAll('g.box')].map(box => [box.getBoundingClientRect().x | 0, box.dataset.key])"
    with opened(net[0]) as tab:
        assert tab.evaluate(moving) == 0
        still = tab.evaluate(places)
    with opened(net[0], motion="no-preference") as tab:
        assert tab.evaluate(moving) > tab.locator("g.box").count()
        tab.evaluate(ended)
        assert tab.evaluate(places) == still


def test_the_whole_picture_of_the_net_is_seen_at_first(opened, net):
    with opened(net[0]) as tab:
        place = tab.locator("#picture").bounding_box()
        for left, top, right, bottom in rectangles(tab, "g.box .shape, .frame"):
            assert place["x"] <= left
            assert right <= place["x"] + place["width"]
            assert place["y"] <= top
            assert bottom <= place["y"] + place["height"]


def test_histograms_in_boxes_leave_texts_free(opened, net):
    with opened(net[0]) as tab:
        inside = tab.evaluate("""[...document.querySelectorAll('g.box')].flatMap(box => {
            const bars = box.querySelector('.bars').getBBox();
            const top = bars.y + box.querySelector('.shape').getBBox().height - 1;
            return bars.height ? [...box.querySelectorAll('text')].map(text => top - text.getAttribute('y')) : [];
        })""")
        assert len(inside) > 30
        assert min(inside) >= 2  # below the base line


def test_formulas_have_the_names_that_the_source_has(opened, net):
    with opened(net[0]) as tab:
        formulas = {
            name: box(tab, name).locator("title").text_content()
            for name in ("correct", "exponentials", "probs", "dscores", "db2")
        }
        assert formulas == {
            "correct": "correct = shifted[arange(60), y]",
            "exponentials": "exponentials = exp(shifted)",
            "probs": "probs = exponentials / totals",
            "dscores": "dscores = (probs − (y[:, None] = arange(3))) / 60",
            "db2": "db2 = Σ₀ dscores",
        }
        assert tab.locator("g.box.data", has=tab.locator("title", has_text="arange(60)")).count() == 1


def test_a_gradient_is_level_with_its_value(opened, net):
    with opened(net[0]) as tab:
        for name in ("W1", "b1", "W2", "b2"):
            assert box(tab, name).bounding_box()["y"] == pytest.approx(box(tab, f"d{name}").bounding_box()["y"], abs=4)


def test_scopes_fold_and_unfold_by_mouse_and_by_keyboard(opened, net):
    with opened(net[0]) as tab:
        whole = tab.locator("g.box").count()
        fold = tab.locator("g.fold[aria-label='scope layer 1']")
        fold.click()
        assert tab.locator("g.box.scope").count() == 3  # forward, backward, update
        assert tab.locator("g.box").count() < whole
        assert fold.get_attribute("aria-expanded") == "false"
        fold.focus()
        tab.keyboard.press("Enter")
        assert tab.locator("g.box").count() == whole
        tab.locator("#fold").click()
        assert tab.locator("g.box:not(.scope)").count() == 0
        tab.keyboard.press("Home")
        tab.keyboard.press("ArrowRight")
        assert "scope layer 1, folded" in tab.locator("#position").inner_text()
        tab.locator("#unfold").click()
        assert tab.locator("g.box").count() == whole


def test_a_line_unfolds_to_its_operations(opened, net):
    with opened(net[0]) as tab:
        whole = tab.locator("g.box").count()
        box(tab, "h").click()
        tab.keyboard.press("Enter")
        assert tab.locator("g.box").count() == whole + 2  # X @ W1, + b1, maximum
        tab.locator("#lines").click()
        assert tab.locator("#lines").get_attribute("aria-pressed") == "false"
        assert tab.locator("g.box").count() > whole + 2


def test_the_linear_classifier_has_one_box_per_line_too_and_is_seen_as_a_whole(opened):
    rng = np.random.default_rng(0)
    X, y = spiral(20, 3, generator=rng)
    with opened(explore(descent(LinearClassifier.random(rng)), inputs=(X, y))) as tab:
        assert tab.locator("#lines").get_attribute("aria-pressed") == "true"
        in_sight(tab, *tab.locator("g.box").all())


def test_the_search_finds_names_and_formulas_also_in_folded_scopes(opened, net):
    with opened(net[0]) as tab:
        tab.locator("#fold").click()
        before = heading(tab)
        tab.keyboard.press("/")
        tab.keyboard.type("dscores")
        assert heading(tab) == before  # typing marks, Enter selects
        assert re.match(r"\d+ found: Enter", tab.locator("#found").inner_text())
        assert tab.locator("g.box.found").count() > 0
        tab.keyboard.press("Enter")
        assert heading(tab).startswith("dscores")
        assert tab.locator("#found").inner_text().startswith("1 of")
        assert box(tab, "dscores").get_attribute("aria-pressed") == "true"
        tab.keyboard.press("Enter")
        assert tab.locator("#found").inner_text().startswith("2 of")
        assert not heading(tab).startswith("dscores =")
        tab.locator("#query").fill("nothing is called so")
        assert tab.locator("#found").inner_text() == "0 found"
        assert tab.locator("g.box.found").count() == 0
        tab.locator("#query").fill("dscores")
        box(tab, "dscores").click()
        tab.locator("#query").press("Enter")
        assert heading(tab).startswith("dscores")  # the first one, also if it is selected already
        tab.keyboard.press("Escape")
        assert tab.locator("#query").input_value() == tab.locator("#found").inner_text() == ""
        assert tab.locator("g.box.found").count() == 0


def test_the_picture_zooms_and_moves_and_fits(opened, net):
    with opened(net[0]) as tab:
        before = box(tab, "h").bounding_box()
        tab.locator("#larger").click()
        larger = box(tab, "h").bounding_box()
        assert larger["width"] > 1.2 * before["width"]
        x, y = 100, 620 - 100
        tab.mouse.move(x, y)
        tab.mouse.down()
        tab.mouse.move(x + 60, y + 30, steps=4)
        tab.mouse.up()
        moved = box(tab, "h").bounding_box()
        assert (moved["x"] - larger["x"], moved["y"] - larger["y"]) == pytest.approx((60, 30), abs=2)
        tab.keyboard.press("0")
        place = tab.locator("#picture").bounding_box()
        for left, top, right, bottom in rectangles(tab, "g.box .shape"):
            assert place["x"] <= left
            assert right <= place["x"] + place["width"]
            assert place["y"] <= top
            assert bottom <= place["y"] + place["height"]


# --- the source -------------------------------------------------------------------------------------------------------


def test_a_line_selects_its_box_and_a_box_its_line(opened, net):
    with opened(net[0]) as tab:
        box(tab, "dh").click()
        assert marked_line(tab).startswith("dh = dscores @ W2.T")
        tab.locator("#source button.line", has_text="dscores = ").click()
        assert heading(tab).startswith("dscores")
        assert box(tab, "dscores").get_attribute("aria-pressed") == "true"
        assert marked_line(tab).startswith("dscores = ")
        tab.keyboard.press("Home")
        tab.keyboard.press("ArrowRight")
        assert marked_line(tab).startswith("h = ")


@pytest.mark.parametrize("size", SIZES)
def test_lines_are_wrapped_and_never_cut(opened, net, size):
    with opened(net[0], size=size) as tab:
        parts = """(right => [...document.querySelectorAll('#source .line, #source .line span')]
            .filter(e => e.getBoundingClientRect().right > right || e.scrollWidth > e.clientWidth + 1).length
        )(document.querySelector('#source').getBoundingClientRect().right)"""
        assert tab.locator("#source .line").count() > 20
        assert tab.evaluate(parts) == 0


def test_every_line_that_computes_something_has_a_box(opened, net):
    _, record, _ = net
    with opened(net[0]) as tab:
        lines = [line for line in record._step.source.splitlines() if re.match(r"    \w+ = ", line)]
        buttons = tab.locator("#source button.line")
        assert buttons.count() == len(lines)
        for i, line in enumerate(lines):
            buttons.nth(i).click()
            assert line.strip().startswith(marked_line(tab))
            assert re.match(rf"{line.split()[0]}\b", heading(tab))


# --- values -----------------------------------------------------------------------------------------------------------


def facts(tab, side=0):
    texts = tab.locator("#panel .heat").nth(side).locator("dl.about").inner_text().split("\n")
    return dict(zip(texts[::2], texts[1::2], strict=True))


def test_values_and_gradients_are_those_of_the_arrays(opened):
    rng = np.random.default_rng(1)
    X, W = rng.standard_normal((4, 3)), Tensor(rng.standard_normal((3, 2)), requires_grad=True, name="W")
    big = Tensor(rng.standard_normal((70, 90)), requires_grad=True, name="big")
    y = (X @ W).named("y")
    loss = (np.sum(y**2) + np.sum(np.maximum(big, 0))).named("loss")
    gradients = grad(loss, [W, big])
    with opened(explore(loss, gradients_of=[W, big])) as tab:
        box(tab, "W").click()
        for side, array in enumerate((W.data, gradients[0].data)):
            cells = tab.locator("#panel .heat").nth(side).locator("td").all_inner_texts()
            np.testing.assert_allclose([shown_number(cell) for cell in cells], array.ravel(), rtol=1e-3)
            told = facts(tab, side)
            assert shown_number(told["mean"]) == pytest.approx(array.mean(), rel=1e-3)
            assert shown_number(told["deviation"]) == pytest.approx(array.std(), rel=1e-3)
            assert shown_number(told["norm"]) == pytest.approx(np.linalg.norm(array), rel=1e-3)
        box(tab, "loss").click()
        assert shown_number(facts(tab)["value"]) == pytest.approx(float(loss), rel=1e-4)
        assert shown_number(box(tab, "loss").locator(".aside").text_content()) == pytest.approx(float(loss), rel=1e-3)
        box(tab, "big").click()
        heat = tab.locator("#panel .heat").first
        assert "all elements" in heat.locator(".scale").inner_text()
        place = heat.locator("canvas").bounding_box()
        for row, column in ((0, 0), (33, 41), (69, 89)):
            x, down = place["x"] + (column + 0.5) / 90 * place["width"], place["y"] + (row + 0.5) / 70 * place["height"]
            tab.mouse.move(x, down)
            text = heat.locator(".readout").inner_text()
            assert text.startswith(f"[{row}, {column}] = ")
            assert shown_number(text.split(" = ")[1]) == pytest.approx(big.data[row, column], rel=1e-3)
        zeros = facts(tab, 1)["zeros"]
        assert f"({int(np.sum(big.data <= 0)):,})" in zeros


def test_a_sample_of_few_elements_is_a_heat_map_that_says_so(opened):
    big = Tensor(np.random.default_rng(1).standard_normal((70, 90)), requires_grad=True, name="big")
    with opened(explore(np.sum(big * big), gradients_of=big, budget=300)) as tab:
        box(tab, "big").click()
        heats = tab.locator("#panel .heat")
        assert [heats.nth(side).locator("canvas").is_visible() for side in (0, 1)] == [True, True]
        sizes = {heats.nth(side).locator("canvas").evaluate("e => `${e.width}×${e.height}`") for side in (0, 1)}
        assert len(sizes) == 1  # a gradient keeps the elements that its value keeps
        assert re.search(r"every \d+th of 70 rows", heats.first.locator(".scale").inner_text())


def test_the_heat_map_is_read_by_keyboard_and_a_row_is_chosen(opened, net):
    page, _, (X, _, model) = net
    with opened(page) as tab:
        box(tab, "h").click()
        canvas = tab.locator("#panel .heat canvas").first
        canvas.focus()
        for key in ("ArrowRight", "ArrowDown", "ArrowRight"):  # the first one begins at the first element
            tab.keyboard.press(key)
        hidden = model.hidden(X).data
        readout = tab.locator("#panel .readout").first.inner_text()
        row, column = map(int, re.findall(r"\d+", readout.split(" = ")[0]))
        assert shown_number(readout.split(" = ")[1]) == pytest.approx(hidden[row, column], rel=1e-3, abs=1e-6)
        tab.keyboard.press("Enter")
        zeros = int(np.sum(hidden[row] == 0))
        assert tab.locator("#panel p.point").first.inner_text() == f"point {row}: {zeros} of 30 are 0"
        assert tab.locator("#panel .readout").first.inner_text() == readout
        tab.keyboard.press(".")
        assert tab.locator("#panel p.point").first.inner_text().startswith(f"point {row + 1}: ")
        assert tab.locator("#panel .readout").first.inner_text() == ""  # it was of another point
        assert slider(tab, "time") == int(tab.locator("#time").get_attribute("max"))  # the arrows moved the cell alone


def test_a_point_is_followed_by_number_and_the_relu_says_where_its_gradient_stops(opened, net):
    page, _, (X, _, model) = net
    with opened(page) as tab:
        box(tab, "h").click()
        tab.keyboard.press("p")
        tab.keyboard.type("14")
        zeros = int(np.sum(model.hidden(X).data[14] == 0))
        assert 0 < zeros < 30
        told = tab.locator("#panel .stops").inner_text()
        assert told.startswith("Where h is 0, relu is off, and the gradient stops in t1 = dh × (h > 0)")
        none = f"{zeros} of the 30 units get none from point 14, after 40 updates"
        assert told.endswith(none)
        tab.locator("#panel .stops button").click()
        assert heading(tab) == "t1 = dh × (h > 0)"
        assert tab.locator("#panel .stops").inner_text().endswith(f"here: {none}")
        box(tab, "dh").click()
        assert tab.locator("#panel .stops").inner_text() == told
        assert "point 14: class 0" in tab.locator(".regions figcaption").inner_text()
        assert tab.locator("#panel .heat").first.locator("i.followed").is_visible()
        tab.keyboard.press("Enter")  # and the keys are those of the page again
        tab.keyboard.press(".")
        assert tab.locator("#point").input_value() == "15"
        tab.keyboard.press("p")
        tab.keyboard.type("999")
        tab.keyboard.press("Escape")
        assert tab.locator("#point").input_value() == str(len(X) - 1)  # as the rest of the page shows it
        tab.locator("#point").fill("")
        tab.keyboard.press("Escape")
        assert not tab.locator("#panel .heat").first.locator("i.followed").is_visible()
        tab.keyboard.press(".")
        tab.keyboard.press(".")
        tab.keyboard.press(",")
        assert tab.locator("#point").input_value() == "0"
        tab.get_by_role("button", name="the point before").click()
        assert tab.locator("#point").input_value() == "0"  # there is none before
        tab.locator("#panel .stops button").click()
        assert heading(tab) == "t1 = dh × (h > 0)"
        assert tab.locator("#panel .heat h3").first.inner_text() == "gradient of X @ W1 + b1"
        assert re.fullmatch(r"point 0: \d+ of 30 are 0", tab.locator("#panel p.point").first.inner_text())
        tab.keyboard.press("p")
        tab.keyboard.type("999")
        assert tab.evaluate("explorer.state.point") == len(X) - 1


def test_a_point_that_is_left_out_of_a_sample_says_which_one_the_mark_is_at(opened):
    rng = np.random.default_rng(0)
    X, y = spiral(20, 3, generator=rng)
    model = TwoLayerNet.random(rng, hidden=30)
    record = explore.training(descent(model), regions=(X, y, model.predict), budget=60_000)
    record(X, y)
    with opened(explore(record)) as tab:
        for name in ("scores", "h", "max(scores, axis=1, keepdims=True)"):
            chosen = "boxes.findIndex(box => [box.name, box.formula].includes(name))"
            tab.evaluate(f"name => {{ const {{ boxes }} = explorer.data; explorer.select({chosen}); }}", name)
            heat = tab.locator("#panel .heat").first
            step = int(re.search(r"every (\d+)\w+ of 60 rows", heat.locator(".scale").inner_text())[1])
            assert step > 1
            for point in {min(p, 59) for p in (0, 1, step, step + 1, 2 * step - 1, 59)}:
                tab.evaluate("point => explorer.set({ point })", point)
                told = heat.locator("p.point").inner_text()
                assert told.startswith(f"point {point}: ")
                if point % step == 0:
                    assert re.match(rf"point {point}: [−\d]", told)
                    assert "sample" not in told
                    marked = point
                else:
                    marked = int(re.search(r"not in the sample: the mark is at point (\d+)$", told)[1])
                    assert abs(marked - point) <= step / 2 or marked + step >= 60
                mark, canvas = heat.locator("i.followed").bounding_box(), heat.locator("canvas").bounding_box()
                share = (mark["y"] + mark["height"] / 2 - canvas["y"]) / canvas["height"]
                assert int(share * -(-60 // step)) == marked // step


def test_names_that_say_nothing_are_said_with_what_they_stand_for(opened, net):
    with opened(net[0]) as tab:
        box(tab, "dW1").click()
        assert "where t1 = dh × (h > 0)" in tab.locator("#panel .rule").inner_text()
        assert box(tab, "db1").locator("title").text_content() == "db1 = Σ₀ t1 where t1 = dh × (h > 0)"
        box(tab, "dh").click()
        chip = tab.locator("#panel .rule button", has_text="t1 = dh × (h > 0)")  # what uses it
        chip.click()
        assert heading(tab) == "t1 = dh × (h > 0)"
        assert marked_line(tab) == "t1 = dh * (h > 0)"
        assert tab.locator("#panel .rule button", has_text="X @ W1 + b1").count() == 1  # what it is the gradient of
        box(tab, "reg_loss").click()
        assert heading(tab).endswith(" × (Σ W1² + Σ W2²)")


def test_formulas_of_single_operations_have_the_names_and_dots_for_what_has_none(opened, net):
    with opened(net[0]) as tab:
        tab.locator("#lines").click()
        titles = set(tab.locator("g.box title").all_text_contents())
        assert {"exponentials = exp(shifted)", "correct = shifted[arange(60), y]", "· − correct", "Σ ·"} <= titles
        assert "dW1 = · + ·" in titles


def test_a_name_of_the_users_own_stands_for_itself(opened):
    x = Tensor([1.0, 2.0], requires_grad=True, name="t1")
    with opened(explore(np.sum((x * x).named("t2")).named("loss"), gradients_of=x)) as tab:
        assert "where" not in tab.locator("#panel .rule").inner_text()
        assert tab.locator("#panel .rule button").first.inner_text().startswith("t2 2")


def test_points_are_the_rows_of_a_matrix_and_not_the_steps_of_a_sequence(opened):
    W = Tensor(np.ones((2, 3)), requires_grad=True, name="W")
    X, y = np.ones((5, 4, 2)), np.zeros((4, 3))
    loss = np.sum((np.sum(X @ W, axis=0) - y) ** 2).named("loss")
    with opened(explore(loss, gradients_of=W, names={"X": X, "y": y})) as tab:
        assert tab.locator("#point").get_attribute("max") == "3"


def test_the_warnings_are_a_button_that_goes_to_them(opened):
    x = Tensor([[1.0, np.nan]], requires_grad=True, name="x")
    with opened(explore(np.sum(x * 2), gradients_of=x)) as tab:
        count = tab.evaluate("explorer.advice[0].size")
        assert tab.locator("#warnings").inner_text() == f"⚠ {count} warnings"
        seen = []
        for _ in range(count):
            tab.locator("#warnings").click()
            seen.append(heading(tab))
            assert tab.locator("#panel .advice li").count()
        assert len(set(seen)) == count


def test_nan_and_infinity_are_counted_and_warned_of(opened):
    x = Tensor([[1.0, 0.0, np.nan], [-np.inf, 2.0, 0.0]], requires_grad=True, name="x")
    with opened(explore(np.sum(x * 2), gradients_of=x)) as tab:
        box(tab, "x").click()
        told = facts(tab)
        assert (told["NaN"], told["infinite"], told["zeros"]) == ("16.7% (1)", "16.7% (1)", "33.3% (2)")
        assert "2 of 6 elements are not finite" in tab.locator("#panel .advice").inner_text()
        assert "warning" in box(tab, "x").get_attribute("aria-label")


def test_a_step_without_inputs_shows_its_state_and_says_why_the_rest_is_missing(opened):
    w = Tensor([1.5, 2.5], requires_grad=True, name="w")

    @capture
    def step(x):
        loss = np.sum(w * x)
        w.assign(w - grad(loss, w))
        return loss

    step(np.ones(2))
    with opened(explore(step)) as tab:
        assert "explore(step, inputs=…)" in tab.locator("#panel .none").inner_text()
        box(tab, "w").click()
        assert tab.locator("#panel td").all_inner_texts() == ["0.5", "1.5"]
    with opened(explore(step, inputs=(np.array([2.0, 4.0]),))) as tab:
        box(tab, "loss").click()
        assert shown_number(facts(tab)["value"]) == 7.0
    np.testing.assert_array_equal(w.data, [0.5, 1.5])


# --- the training -----------------------------------------------------------------------------------------------------


def test_the_training_slider_shows_every_panel_at_that_moment(opened, net):
    page, record, _ = net
    with opened(page) as tab:
        moments = int(tab.locator("#moment").get_attribute("max"))
        at = tab.evaluate("explorer.data.at")
        assert (at[0], at[-1]) == (0, 40)
        box(tab, "loss").click()
        for moment in (0, moments // 2, moments - 1):
            tab.locator("#moment").fill(str(moment))
            assert shown_number(facts(tab)["value"]) == pytest.approx(record.losses[at[moment]], rel=1e-4)
            plural = "" if at[moment] == 1 else "s"
            assert f"after {at[moment]} update{plural} · " in tab.locator("#when").inner_text()
            told = tab.locator("#when").inner_text().split("loss ")[1]
            assert told == box(tab, "loss").locator(".aside").text_content()
        tab.keyboard.press("Escape")
        tab.locator("#moment").evaluate("element => element.blur()")
        tab.keyboard.press("[")
        assert slider(tab, "moment") == moments - 2
        tab.keyboard.press("]")
        assert slider(tab, "moment") == moments - 1


def test_the_regions_are_those_that_the_model_predicts(opened, net):
    page, record, (_, _, model) = net
    grid = record.regions.grid()
    with opened(page) as tab:
        shown = tab.evaluate("[...explorer.values.regions(explorer.data.at.length - 1)]")
        np.testing.assert_array_equal(shown, model.predict(grid))
        assert "class 2" in tab.locator(".regions figcaption").inner_text()
        place = tab.locator(".regions canvas").bounding_box()
        tab.mouse.click(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
        assert re.search(r"point \d+: class \d", tab.locator(".regions figcaption").inner_text())


def test_a_click_on_the_loss_curve_chooses_a_moment(opened, net):
    with opened(net[0]) as tab:
        place = tab.locator(".curve svg").bounding_box()
        tab.mouse.click(place["x"] + 6, place["y"] + 20)
        assert slider(tab, "moment") == 0


@pytest.mark.parametrize("size", SIZES)
def test_the_loss_curve_is_large_enough_to_read(opened, net, size):
    with opened(net[0], size=size) as tab:
        place = tab.locator(".curve svg").bounding_box()
        assert place["height"] >= 80
        assert place["width"] >= 190
        highest, word, lowest = tab.locator(".curve .levels span").all_inner_texts()
        assert (word, lowest) == ("loss", "0")
        assert shown_number(highest) == pytest.approx(max(net[1].losses), rel=1e-2)
        levels = tab.locator(".curve .levels").bounding_box()
        assert levels["height"] == pytest.approx(place["height"], abs=3)  # the numbers are at the ends of the axis
        outside = """[...document.querySelectorAll('#training, .regions figcaption')]
            .filter(e => e.scrollHeight > e.clientHeight + 1).map(e => e.className || e.id)"""
        assert tab.evaluate(outside) == []


def test_where_the_loss_falls_fastest_one_lands_where_the_button_says(opened, net):
    with opened(net[0]) as tab:
        button = tab.locator(".says button")
        assert re.search(r"falls fastest near update \d+\s.*\sby ", tab.locator(".says").inner_text(), re.DOTALL)
        button.click()
        assert tab.locator("#when").inner_text().startswith(f"{button.inner_text().removeprefix('see it ')} · ")


# --- readable by everybody --------------------------------------------------------------------------------------------

CONTRASTS = """() => {
  const channel = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const parse = text => {
    const parts = text.match(/[\\d.]+/g)?.map(Number);
    return parts && (parts[3] ?? 1) > 0 ? parts.slice(0, 3) : null;
  };
  const behind = element => {
    const box = element.closest('g.box');
    if (box) return parse(getComputedStyle(box.querySelector('.shape')).fill);
    for (let e = element; e; e = e.parentElement) {
      const colour = parse(getComputedStyle(e).backgroundColor);
      if (colour) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.getClientRects().length || ['SCRIPT', 'title'].includes(element.tagName)) continue;
    const style = getComputedStyle(element);
    const ink = parse(element instanceof SVGElement ? style.fill : style.color), paper = behind(element);
    const [a, b] = [light(ink), light(paper)].sort((x, y) => y - x);
    found.push([(a + 0.05) / (b + 0.05), element.textContent.slice(0, 40), element.getAttribute('class')]);
  }
  return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("half_way", [False, True])
def test_the_contrast_of_all_text_is_at_least_4_and_a_half(opened, net, scheme, half_way):
    with opened(net[0], scheme=scheme) as tab:
        if half_way:
            for _ in range(8):
                tab.keyboard.press("ArrowLeft")
            tab.locator("#fold").click()
        box(tab, "W1" if not half_way else "loss").click()
        measured = tab.evaluate(CONTRASTS)
        assert len(measured) > 60
        assert [one for one in measured if one[0] < 4.5] == []


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_window(opened, net, size, scheme):
    with opened(net[0], size=size, scheme=scheme) as tab:
        tab.locator("#query").fill("t1")
        tab.keyboard.press("Enter")
        assert heading(tab) == "t1 = dh × (h > 0)"
        width = SIZES[size][0]
        assert tab.evaluate("document.scrollingElement.scrollWidth") <= width
        outside = """[...document.querySelectorAll('header *, main > section, footer, footer *, #panel *, #training *')]
            .filter(e => !e.closest('svg') || e.tagName === 'svg')
            .map(e => [e.tagName + '.' + e.id, e.getBoundingClientRect()])
            .filter(([_, r]) => r.width && (r.left < -1 || r.right > innerWidth + 1)).map(([name]) => name)"""
        assert tab.evaluate(outside) == []
        if size != "phone":  # one screen
            assert tab.evaluate("document.scrollingElement.scrollHeight") <= SIZES[size][1]


def test_the_keyboard_reaches_everything(opened, net):
    with opened(net[0]) as tab:
        reached = set()
        for _ in range(60):
            tab.keyboard.press("Tab")
            reached.add(tab.evaluate("(e => e.id || e.getAttribute('class') || e.tagName)(document.activeElement)"))
        assert {"query", "lines", "fit", "help", "fold", "time", "moment", "play", "line"} <= reached
        assert any("box" in name.split() for name in reached)
        tab.locator("body").click(position={"x": 2, "y": 2})
        tab.keyboard.press("?")
        assert tab.locator("#keys").is_visible()
        tab.keyboard.press("Escape")
        sync_api.expect(tab.locator("#keys")).to_be_hidden(timeout=60_000)  # the browser closes it, not the page
        selected = heading(tab)
        tab.keyboard.press("ArrowUp")
        assert heading(tab) != selected
        tab.keyboard.press("ArrowDown")
        assert heading(tab) == selected


def test_everything_that_can_be_operated_has_a_name(opened, net):
    with opened(net[0]) as tab:
        nameless = """[...document.querySelectorAll('button, input, [role=button], [role=img], section')].filter(e =>
            e.checkVisibility() && !(e.ariaLabel || e.labels?.length || e.textContent.trim())).map(e => e.outerHTML)"""
        assert tab.evaluate(nameless) == []
        assert tab.locator("html").get_attribute("lang") == "en"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_prints_as_a_page(opened, net, scheme):
    with opened(net[0], scheme=scheme) as tab:
        tab.emulate_media(media="print", color_scheme=scheme)
        for part in ("#panel", "#source", "#picture"):
            paper = tab.locator(part).evaluate("element => getComputedStyle(element).backgroundColor")
            assert paper == "rgb(255, 255, 255)"
        assert not tab.locator("#warnings").is_visible()
        assert not tab.locator("header form").is_visible()
        assert not tab.locator("footer button").first.is_visible()
        assert tab.locator("#source li").last.is_visible()
        assert tab.evaluate("getComputedStyle(document.body).overflow") == "visible"


# --- hostile names ----------------------------------------------------------------------------------------------------


def test_names_are_text_and_never_markup(opened):
    total, tensors = 0.0, []
    for name in HOSTILE:
        tensors.append(Tensor([[1.0, 2.0], [0.5, 3.0]], requires_grad=True, name=name))
        with scope(name):
            total = total + np.sum(tensors[-1] @ tensors[-1]).named(name)
    with opened(explore(total, gradients_of=tensors)) as tab:
        assert tab.locator("#unfold").is_disabled()  # nothing is folded
        shown = set(tab.locator("g.box text.name").all_text_contents())
        titles = set(tab.locator("g.fold title").all_text_contents())
        for name in HOSTILE:
            visible = name.replace("\n", "↵")
            cut = visible if len(visible) <= 21 else visible[:20] + "…"
            assert cut in shown
            assert f"{visible}: fold" in titles
        assert tab.evaluate("window.hacked") is None
        assert tab.locator("img, b > b, main script").count() == 0


def test_a_notebook_shows_the_page_in_a_frame(browser, net):
    tab = browser.new_page()
    try:
        tab.set_content(f"<!doctype html><body>{net[0]._repr_html_()}</body>")
        frame = tab.frames[-1]
        frame.wait_for_selector("html[data-ready]", state="attached")
        assert frame.locator("g.box").count() > 15
    finally:
        tab.close()
