"""Takes the screenshots of the explorer in docs/screenshots: python docs/screenshots.py

They show the case study's net after its whole training. Needs playwright (extra `test-browser`) and Chromium.
"""

import argparse
import shutil
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from autograd_spiral import explore
from autograd_spiral.spiral import published, train

FOLDER = Path(__file__).parent / "screenshots"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
POINT = 192


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=FOLDER, help="folder to write to")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    page = options.folder / "explorer.html"
    write_page(page)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        for name, scheme, prepare in (("explorer", "light", half_way), ("explorer-dark", "dark", unfolded)):
            size = {"width": 1440, "height": 900}
            tab = browser.new_page(viewport=size, color_scheme=scheme, reduced_motion="reduce")
            tab.goto(page.resolve().as_uri())
            tab.wait_for_selector("html[data-ready]", state="attached")
            prepare(tab)
            tab.screenshot(path=options.folder / f"{name}.png")
        browser.close()
    page.unlink()
    print(f"2 files in {options.folder}")


def write_page(path: Path) -> None:
    X, y, _, net = published.start()
    records = []

    def watch(step):
        records.append(explore.training(step, regions=(X, y, net.predict)))
        return records[0]

    train(net, X, y, steps=published.TWO_LAYER.steps, watch=watch)
    explore(records[0]).save_as(path)


def half_way(tab: Page) -> None:
    """Show the backward pass when it reaches the hidden layer, at a moment when the regions take shape."""
    tab.evaluate(f"explorer.set({{ moment: 35, point: {POINT} }})")
    tab.locator("#source button.line", has_text="dh = ").click()
    tab.locator("#time").fill("13")


def unfolded(tab: Page) -> None:
    """Show single operations, and where the gradient of one point does not pass the relu."""
    tab.evaluate(f"explorer.set({{ moment: 40, point: {POINT} }})")
    tab.locator("#lines").click()
    tab.locator("#query").fill("t1")
    tab.keyboard.press("Enter")
    tab.keyboard.press("Escape")


if __name__ == "__main__":
    main()
