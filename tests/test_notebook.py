"""The notebook of the case study is generated from its script, and runs from top to bottom.

python tests/test_notebook.py    generates it, with its outputs (needs the `notebook` extra and Graphviz)
"""

from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "demos" / "case_study.py"
NOTEBOOK = SCRIPT.with_suffix(".ipynb")
STRICT = "import warnings\nfor kind in UserWarning, RuntimeWarning:\n    warnings.simplefilter('error', kind)"
"""Makes the warnings that this package and NumPy issue errors, and leaves those of Jupyter alone."""


def sources(notebook):
    return [(cell.cell_type, cell.source) for cell in notebook.cells]


def executed(notebook, folder):
    from nbclient import NotebookClient

    where = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=300, resources=where, shutdown_kernel="immediate").execute()
    return notebook


def test_the_notebook_is_the_script():
    jupytext = pytest.importorskip("jupytext")
    nbformat = pytest.importorskip("nbformat")
    assert sources(jupytext.read(SCRIPT)) == sources(nbformat.read(NOTEBOOK, as_version=4))


@pytest.mark.filterwarnings("ignore")  # of Jupyter's own packages
def test_the_notebook_runs_from_top_to_bottom(tmp_path):
    jupytext = pytest.importorskip("jupytext")
    pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    pytest.importorskip("matplotlib")
    notebook = jupytext.read(SCRIPT)
    notebook.cells[1].source = f"{STRICT}\n{notebook.cells[1].source}"
    executed(notebook, tmp_path)
    printed = "".join(
        output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []) if "text" in output
    )
    assert "training accuracy: 0.98, published 0.98" in printed
    assert list(tmp_path.iterdir()) == []


def generate():
    """Write the notebook with the outputs of a run."""
    import jupytext
    import nbformat

    notebook = executed(jupytext.read(SCRIPT), SCRIPT.parent)
    for i, cell in enumerate(notebook.cells):
        cell.id = f"cell-{i}"
        cell.metadata.pop("execution", None)
    notebook.metadata.pop("jupytext", None)
    nbformat.write(notebook, NOTEBOOK)


if __name__ == "__main__":
    generate()
