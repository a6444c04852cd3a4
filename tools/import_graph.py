"""Who imports whom in the package, type-only and late imports counted, and does any import run against the floors?

python tools/import_graph.py [PACKAGE_FOLDER]
"""

from __future__ import annotations

# ruff: noqa: T201
import ast
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Floors = Mapping[str, Iterable[str]]
"""By the name of a part (a folder, or a file, of a package): what else it may import, as `part` or `part.module`.

`.` stands for the files that lie in the package itself and have no entry of their own, `__init__` for its own file.
"""

_GROUND = ("text", "files", "refusal", "persistent", "__init__")
_BELOW_LAUNCH = ("plan", "environment", "gpus", "record", "settings", "runner", *_GROUND)
_BELOW_SERVICES = ("launch", "diagnosis", "output", *_BELOW_LAUNCH)

HOUSE: Floors = {
    "__main__": ("cli",),
    "cli": ("services", "ui", "demo", *_BELOW_SERVICES),
    "ui": ("services", *_BELOW_SERVICES),
    "services": _BELOW_SERVICES,
    "launch": _BELOW_LAUNCH,
    "diagnosis": ("plan", "record", *_GROUND),
    "plan": ("environment", "gpus", "runner.lightning_tui_runner.plan.options", *_GROUND),
    "environment": ("gpus", *_GROUND),
    "output": ("record", *_GROUND),
    "gpus": ("record.samples",),
    "record": _GROUND,
    "settings": _GROUND,
    **dict.fromkeys((*_GROUND, "runner", "demo"), ()),
}
"""Each package of the house, and the single files beside them. `gpus` takes the types of a reading and nothing else."""

_FEATURES = ("log", "metrics", "plan", "gpus", "failure", "advice", "tuning", "steering", "runs")

RUNNER: Floors = {
    ".": ("trial", "telemetry", "steering", "plan", "process"),
    "trial": ("telemetry", "plan", "process"),
    "telemetry": ("plan", "process"),
    "steering": ("process",),
    "plan": ("process",),
    "process": (),
    "__init__": (),
}


@dataclass(frozen=True)
class Import:
    """One module that one file imports, and the first line that says so."""

    importer: str
    imported: str
    line: int

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.imported}"


@dataclass(frozen=True)
class Graph:
    """The modules of a package, by dotted name, and the imports among them."""

    files: Mapping[str, Path]
    imports: Sequence[Import]

    def within(self, package: str) -> Graph:
        """The part of the graph that lies in a package; with an unknown one nothing is left."""
        files = {name: path for name, path in self.files.items() if _is_in(name, package)}
        return Graph(files, [i for i in self.imports if i.importer in files and i.imported in files])

    def is_package(self, name: str) -> bool:
        return name in self.files and self.files[name].name == "__init__.py"


def levels(*floors: Iterable[str]) -> Floors:
    """Floors from the top down: a part may import its own floor and all below."""
    names = [tuple(floor) for floor in floors]
    return {part: [p for floor in names[i:] for p in floor] for i, parts in enumerate(names) for part in parts}


UI: Floors = levels(("__init__", "app"), ("cockpit",), _FEATURES, (".",), ("windows",), ("drawing",))


def read_graph(folder: Path) -> Graph:
    """Read every file of the package that lies in `folder`.

    Raises:
        OSError, SyntaxError: a file cannot be read or parsed.
    """
    files = {_name_of(path, folder): path for path in sorted(folder.rglob("*.py"))}
    return Graph(files, [i for name, path in files.items() for i in _imports_of(name, path, files)])


def circles(graph: Graph) -> list[list[str]]:
    """One circle of each knot of modules that reach one another, as `[a, b, a]`; the shortest through its first."""
    after = _successors((i.importer, i.imported) for i in graph.imports)
    return [_shortest_circle(knot[0], after) for knot in knots(after)]


def knots(after: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """The sets of nodes of which each reaches all others; sorted. A node that only reaches itself counts too."""
    reach = {node: _reached(node, after) for node in after}
    found = {tuple(sorted(n for n in reach[node] if node in reach.get(n, ()))) for node in after if node in reach[node]}
    return [list(knot) for knot in sorted(found)]


def backward(graph: Graph, package: str, floors: Floors) -> list[str]:
    """The imports among the parts of `package` that its floors do not allow, and parts that have no floor; sorted."""
    inside = graph.within(package)
    parts = {name: _part_of(name, package, inside, floors) for name in inside.files}
    lost = {f"{package}.{part} stands on no floor" for part in parts.values() if part not in floors}
    wrong = {str(i) for i in inside.imports if not _is_allowed(i, parts, package, floors)}
    return sorted(lost | wrong)


def _is_allowed(one: Import, parts: Mapping[str, str], package: str, floors: Floors) -> bool:
    importer, imported = parts[one.importer], parts[one.imported]
    if importer == imported or importer not in floors:
        return True
    allowed = floors[importer]
    return imported in allowed or any(_is_in(one.imported, f"{package}.{name}") for name in allowed)


def _part_of(name: str, package: str, graph: Graph, floors: Floors) -> str:
    if name == package:
        return "__init__"
    head = name.removeprefix(package + ".").partition(".")[0]
    is_file = not graph.is_package(f"{package}.{head}")
    return "." if is_file and head not in floors and "." in floors else head


def _is_in(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


# --- Reading ----------------------------------------------------------------------------------------------------------


def _name_of(path: Path, folder: Path) -> str:
    parts = path.relative_to(folder.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports_of(name: str, path: Path, files: Mapping[str, Path]) -> Iterator[Import]:
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    lines: dict[str, int] = {}
    for node in ast.walk(ast.parse(path.read_bytes(), str(path))):
        for target in _targets(node, package, files):
            if target in files and target != name:
                lines[target] = min(node.lineno, lines.get(target, node.lineno))  # type: ignore[attr-defined]
    for target, line in sorted(lines.items()):
        yield Import(name, target, line)


def _targets(node: ast.AST, package: str, files: Mapping[str, Path]) -> list[str]:
    """Names that an import statement may mean; `from package import name` is the submodule where there is one."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = node.module or ""
    if node.level:
        above = package.split(".")[: len(package.split(".")) - node.level + 1]
        base = ".".join([*above, *([node.module] if node.module else [])])
    return [sub if (sub := f"{base}.{alias.name}") in files else base for alias in node.names]


# --- Circles ----------------------------------------------------------------------------------------------------------


def _successors(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    after: dict[str, list[str]] = {}
    for a, b in sorted(set(pairs)):
        after.setdefault(a, []).append(b)
    return after


def _reached(start: str, after: Mapping[str, Iterable[str]]) -> set[str]:
    found: set[str] = set()
    left = [start]
    while left:
        new = [node for node in after.get(left.pop(), ()) if node not in found]
        found.update(new)
        left += new
    return found


def _shortest_circle(start: str, after: Mapping[str, Iterable[str]]) -> list[str]:
    paths = deque([[start]])
    seen: set[str] = set()
    while paths:
        path = paths.popleft()
        for node in after.get(path[-1], ()):
            if node == start:
                return [*path, start]
            if node not in seen:
                seen.add(node)
                paths.append([*path, node])
    return []


# --- Printing ---------------------------------------------------------------------------------------------------------


def main(words: Sequence[str]) -> None:
    """Print the counts, then what is wrong by name."""
    folder = Path(words[0]) if words else Path(__file__).parents[1] / "lightning_tui"
    graph, house = read_graph(folder), folder.name
    print(f"{'package':52} files imports backward circles largest")
    runner = f"{house}.runner.lightning_tui_runner"
    found = [_counted(graph, package, floors) for package, floors in ((house, HOUSE), (f"{house}.ui", UI))]
    found.append(_counted(graph, runner, RUNNER))
    print("\n".join(line for lines in found for line in lines))


def _counted(graph: Graph, package: str, floors: Floors) -> list[str]:
    inside = graph.within(package)
    wrong, rings = backward(graph, package, floors), circles(inside)
    largest = max(map(len, knots(_successors((i.importer, i.imported) for i in inside.imports))), default=0)
    print(f"{package:52} {len(inside.files):5} {len(inside.imports):7} {len(wrong):8} {len(rings):7} {largest:7}")
    return [*wrong, *(f"circle: {' -> '.join(ring)}" for ring in rings)]


if __name__ == "__main__":
    main(sys.argv[1:])
