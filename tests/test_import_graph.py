"""One direction only: no circle of imports between files, and none that runs against the floors of the house.

The floors stand at the top of `tools/import_graph.py`, which prints the same for a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

import lightning_tui
from tools.import_graph import HOUSE, RUNNER, UI, Floors, Graph, backward, circles, knots, read_graph

HOUSE_FOLDER = Path(lightning_tui.__file__).parent
RUNNER_PACKAGE = "lightning_tui.runner.lightning_tui_runner"
PACKAGES = sorted(path.parent.name for path in HOUSE_FOLDER.glob("*/__init__.py"))


@pytest.fixture(scope="module")
def graph() -> Graph:
    return read_graph(HOUSE_FOLDER)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_circle_within_a_package(graph: Graph, package: str) -> None:
    assert circles(graph.within(f"lightning_tui.{package}")) == []


def test_no_circle_anywhere(graph: Graph) -> None:
    assert circles(graph) == []


def test_no_import_runs_against_the_floors_of_the_house(graph: Graph) -> None:
    assert backward(graph, "lightning_tui", HOUSE) == []


def test_no_import_runs_against_the_floors_of_the_runner(graph: Graph) -> None:
    assert backward(graph, RUNNER_PACKAGE, RUNNER) == []


def test_no_import_runs_against_the_floors_of_the_screen(graph: Graph) -> None:
    assert backward(graph, "lightning_tui.ui", UI) == []


@pytest.mark.parametrize("floors", [HOUSE, RUNNER], ids=["house", "runner"])
def test_the_floors_themselves_run_one_way(floors: Floors) -> None:
    assert knots({part: [name.partition(".")[0] for name in below] for part, below in floors.items()}) == []


# --- Each check can fail ----------------------------------------------------------------------------------------------


def house(folder: Path, files: Mapping[str, str]) -> Graph:
    """A made-up package `house`; each folder in it is a package too."""
    for name, text in files.items():
        path = folder / "house" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for path in [folder / "house", *(folder / "house").rglob("*/")]:
        (path / "__init__.py").touch()
    return read_graph(folder / "house")


TYPE_ONLY = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from {} import x\n"
IMPORTS_OF_B = {
    "absolute": "import house.b",
    "a name of it": "from house.b import x",
    "a module of a package": "from house import b",
    "relative": "from . import b",
    "a name, relative": "from .b import x",
    "type only": TYPE_ONLY.format("house.b"),
    "late": "def f():\n    from house.b import x\n",
    "as another": "import house.b as c",
}


@pytest.mark.parametrize("way", IMPORTS_OF_B)
def test_a_circle_is_found_whichever_way_it_is_imported(way: str, tmp_path: Path) -> None:
    found = circles(house(tmp_path, {"a.py": IMPORTS_OF_B[way], "b.py": "import house.a", "c.py": "import house.a"}))
    assert found == [["house.a", "house.b", "house.a"]]


def test_a_circle_over_three_files_and_two_packages_is_named(tmp_path: Path) -> None:
    files = {
        "p/a.py": "from ..q.b import x",
        "q/b.py": "from house.q import c",
        "q/c.py": TYPE_ONLY.format("house.p.a"),
    }
    assert circles(house(tmp_path, files)) == [["house.p.a", "house.q.b", "house.q.c", "house.p.a"]]


def test_a_circle_through_the_face_of_a_package_is_found(tmp_path: Path) -> None:
    files = {"p/__init__.py": "from .a import x", "p/a.py": "from house.p import y"}
    assert circles(house(tmp_path, files)) == [["house.p", "house.p.a", "house.p"]]


def test_what_runs_one_way_is_no_circle(tmp_path: Path) -> None:
    files = {
        "a.py": "import house.b, house.c, json",
        "b.py": "from house.c import x",
        "c.py": "import os, house_of_others",
    }
    found = house(tmp_path, files)
    assert circles(found) == []
    assert [(i.importer, i.imported) for i in found.imports] == [
        ("house.a", "house.b"),
        ("house.a", "house.c"),
        ("house.b", "house.c"),
    ]


FLOORS: Floors = {"top": ("low.types",), "low": (), ".": ("low",), "__init__": ()}
AGAINST_FLOORS = {
    "up": ("low/a.py", "\nimport house.top.a", "house.low.a:2 imports house.top.a"),
    "up, type only": ("low/a.py", TYPE_ONLY.format("house.top.a"), "house.low.a:3 imports house.top.a"),
    "up to a single file": ("low/a.py", "from house import single", "house.low.a:1 imports house.single"),
    "past the exception": ("top/a.py", "from house.low import a", "house.top.a:1 imports house.low.a"),
    "a package without a floor": ("new/a.py", "", "house.new stands on no floor"),
}


@pytest.mark.parametrize("case", AGAINST_FLOORS)
def test_an_import_against_the_floors_is_found(case: str, tmp_path: Path) -> None:
    name, text, found = AGAINST_FLOORS[case]
    right = {"top/a.py": "from house.low.types import x", "low/a.py": "import house.low.types", "low/types.py": ""}
    right["single.py"] = "from house.low import a"
    assert backward(house(tmp_path, right), "house", FLOORS) == []
    assert backward(house(tmp_path, {**right, name: text}), "house", FLOORS) == [found]


SCREEN = {
    "app.py": "from house.ui.cockpit import screen",
    "cockpit/screen.py": "from house.ui.log import pane",
    "log/pane.py": "from house.ui.metrics import pane\nfrom house.ui import view",
    "metrics/pane.py": "from house.ui.windows import window",
    "view.py": "from house.ui.windows.window import Window",
    "windows/window.py": "from house.ui.drawing import rows",
    "drawing/rows.py": "",
}
BACKWARD_ON_SCREEN = {
    "log/pane.py": "from house.ui.cockpit import screen",
    "view.py": "from house.ui.log import pane",
    "windows/window.py": "from house.ui import view",
    "drawing/rows.py": "from house.ui.windows import window",
    "cockpit/screen.py": "from house.ui import app",
}


@pytest.mark.parametrize("name", BACKWARD_ON_SCREEN)
def test_an_import_against_the_floors_of_a_screen_is_found(name: str, tmp_path: Path) -> None:
    right = {f"ui/{file}": text for file, text in SCREEN.items()}
    assert backward(house(tmp_path, right), "house.ui", UI) == []
    wrong = house(tmp_path, {**right, f"ui/{name}": BACKWARD_ON_SCREEN[name]})
    assert len(backward(wrong, "house.ui", UI)) == 1


def test_floors_that_run_in_a_circle_are_found() -> None:
    assert knots({"a": ["b"], "b": ["c"], "c": ["b"], "d": ["d"]}) == [["b", "c"], ["d"]]
