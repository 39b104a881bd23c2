"""The rooms of the package: each of them imports only from the rooms before it."""

import ast
import functools
import re
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "autograd_spiral"

ORDER = {
    "": (
        "interrupts",
        "errors",
        "engine",
        "vocabulary",
        "files",
        "debug",
        "program",
        "transforms",
        "optimizers",
        "gradcheck",
        "testing",
        "drawing",
        "explorer",
        "spiral",
        "other_libraries",
        "__init__",
        "cli",
        "__main__",
    ),
    "program": (
        "ir",
        "locks",
        "threads",
        "history",
        "evaluate",
        "executor",
        "passes",
        "printing",
        "running",
        "xla",
        "capturing",
        "recorded",
        "__init__",
    ),
}
"""Of the package and of its largest room: the files and folders in it, each before those that may import from it."""

EXTRAS = {"matplotlib", "hypothesis", "pytest", "threadpoolctl"}
"""What may be imported inside a function, since it need not be installed."""

FILES = sorted(PACKAGE.rglob("*.py"))
KNOWN = set(FILES)


def parts(path):
    return path.relative_to(PACKAGE).with_suffix("").parts


def module(path):
    return ".".join(("autograd_spiral", *parts(path))).removesuffix(".__init__")


@functools.cache
def parsed(path):
    return ast.parse(path.read_text())


def imported(path):
    """The full names of all modules, or of the names in them, that the file imports, each with its node."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}:{node.lineno}: relative import"
            yield from ((node, f"{node.module}.{alias.name}") for alias in node.names)


@functools.cache
def ours(name):
    """The file of this package that an imported name belongs to, or None."""
    steps = name.split(".")
    if steps[0] != "autograd_spiral":
        return None
    for end in range(len(steps), 0, -1):
        place = PACKAGE.joinpath(*steps[1:end])
        for candidate in (place.with_suffix(".py"), place / "__init__.py"):
            if candidate in KNOWN:
                return candidate
    raise AssertionError(f"{name} is in no file of the package")


ids = [str(path.relative_to(PACKAGE)) for path in FILES]
every_file = pytest.mark.parametrize("path", FILES, ids=ids)


def test_the_package_is_found():
    assert len(FILES) > 10
    assert all(len(set(rooms)) == len(rooms) for rooms in ORDER.values())


@pytest.mark.parametrize("folder", ORDER)
def test_every_room_is_listed(folder):
    found = {
        path.stem for path in (PACKAGE / folder).iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert found == set(ORDER[folder])


def test_rooms_stay_small_enough_to_be_seen_at_a_glance():
    sizes = {}
    for path in FILES:
        sizes.setdefault(path.parent.relative_to(PACKAGE).as_posix(), []).append(path.name)
    assert len(set(sizes.pop(".")) - {"__init__.py", "__main__.py"}) <= 6
    assert {room: names for room, names in sizes.items() if len(names) > 12} == {}


def test_the_page_on_the_design_lists_the_rooms_in_this_order():
    page = (PACKAGE.parent / "docs" / "design.md").read_text()
    rows = re.findall(r"^\| `(\w+)(?:\.py|/)` \|", page, re.MULTILINE)
    assert rows == [room for rooms in ORDER.values() for room in rooms if not room.startswith("__")]


def test_every_file_that_the_page_on_the_design_names_is_there():
    page = (PACKAGE.parent / "docs" / "design.md").read_text()
    named = re.findall(r"`([a-z_/]+\.py|[a-z_]+/[a-z_/]*)`", page)
    assert len(named) > 25
    folders = (PACKAGE, PACKAGE / "engine", PACKAGE / "program")
    assert [name for name in named if not any((folder / name).exists() for folder in folders)] == []


@every_file
def test_imports_come_from_rooms_before(path):
    for node, name in imported(path):
        source = ours(name)
        if source is None:
            continue
        for folder, order in ORDER.items():
            inside = folder.split("/") if folder else []
            own, other = (parts(file)[: len(inside) + 1] for file in (path, source))
            if [*own[:-1]] == [*other[:-1]] == inside and own != other:
                assert order.index(other[-1]) < order.index(own[-1]), f"{path.name}:{node.lineno} imports {name}"


@pytest.mark.parametrize("path", sorted((PACKAGE / "engine").glob("*.py")), ids=lambda path: path.stem)
def test_the_engine_imports_errors_and_numpy_alone(path):
    for node, name in imported(path):
        top, _, rest = name.partition(".")
        known = (
            rest.startswith(("engine.", "errors."))
            if top == PACKAGE.name
            else top in {*sys.stdlib_module_names, "numpy"}
        )
        assert known, f"{path.name}:{node.lineno} imports {name}"


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.name == "__init__.py"], ids=lambda path: path.parent.name
)
def test_no_name_in_a_folder_hides_a_module_of_it(path):
    modules = {file.stem for file in path.parent.glob("*.py")} | {
        file.parent.name for file in path.parent.glob("*/*.py")
    }
    bound = {}
    for node in parsed(path).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            bound[node.name] = node.name
        elif isinstance(node, ast.ImportFrom):
            bound |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    hidden = {name for name in bound.keys() & modules if bound[name] != f"{module(path)}.{name}"}
    assert not hidden


def test_files_in_one_folder_do_not_import_each_other_in_a_circle():
    uses = {path: {source for _, name in imported(path) if (source := ours(name))} - {path} for path in FILES}
    while free := [path for path in uses if not uses[path] & uses.keys()]:
        for path in free:
            del uses[path]
    assert not uses, f"in a circle: {[module(path) for path in uses]}"


@every_file
def test_nothing_but_an_optional_extra_is_imported_inside_a_function(path):
    tree = parsed(path)
    top = {id(node) for node in tree.body}
    for node in tree.body:
        if isinstance(node, ast.If | ast.Try):  # `if TYPE_CHECKING:` and the like
            top |= {id(inner) for inner in ast.iter_child_nodes(node)}
    for node, name in imported(path):
        assert id(node) in top or name.split(".")[0] in EXTRAS, f"{path.name}:{node.lineno} imports {name}"


def test_the_hand_derived_gradients_lean_on_numpy_alone():
    path = PACKAGE / "spiral" / "by_hand.py"
    names = {name.split(".")[0] for _, name in imported(path)}
    assert names - {"__future__", "typing", "collections"} == {"numpy"}
