"""Every example in README and docs runs, and each demo does."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
EXAMPLES = [
    pytest.param(page, code, id=f"{page.name}-{i}")
    for page in PAGES
    for i, code in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL))
]
DEMOS = {"benchmark.py": ["--quick", "--only", "nobody"], "pictures.py": ["--quick"]}


@pytest.mark.parametrize(("page", "code"), EXAMPLES)
def test_examples_run(page, code):
    exec(compile(code, str(page), "exec"), {"__name__": "example"})


def test_the_readme_has_an_example_and_two_commands():
    text = PAGES[0].read_text(encoding="utf-8")
    assert "```python" in text
    assert len(re.findall(r"^python3 -m venv \.venv && ", text, re.MULTILINE)) == 2


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("demo", sorted((ROOT / "demos").glob("*.py")), ids=lambda path: path.name)
def test_demos_run(demo, tmp_path):
    command = [sys.executable, "-W", "error", str(demo), *DEMOS.get(demo.name, [])]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=120)
