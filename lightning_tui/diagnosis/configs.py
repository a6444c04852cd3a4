"""Which key does a program not take, where in its own config files does it stand, and which name was meant?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path

from lightning_tui.diagnosis.model import Evidence

FILE_LIMIT = 256 << 10
MOST_FILES = 8

_REJECTED = re.compile(
    r"(?:does not accept option |Parser key |No action for (?:destination )?key |Option |Key |could not override |"
    r"unexpected keyword argument |unrecognized arguments: |no such option: )"
    r"['\"]?(?:--)?(?P<key>[A-Za-z_][\w.-]{0,200})",
    re.IGNORECASE,
)
_OPTION = re.compile(r"--([A-Za-z_][\w.-]{0,200})")
_YAML_KEY = re.compile(r"( {0,200})(?:- )?['\"]?([\w.-]{1,200})['\"]?:(?:\s|$)")


def about_rejected_key(text: str, evidence: Evidence) -> dict[str, str]:
    """`key`, and where known `nearest`, `file` and `place_of_key` (a line number), for the texts of a rule."""
    match = _REJECTED.search(text)
    if match is None:
        return {}
    key = match["key"].rstrip(".")
    told = {"key": key}
    nearest = _nearest(key, _options(evidence))
    if nearest is not None:
        told["nearest"] = nearest
    for path in _config_files(evidence):
        if (line := _line_of(key, path)) is not None:
            return told | {"file": path.name, "place_of_key": str(line)}
    return told


def _options(evidence: Evidence) -> set[str]:
    """What the program's usage offers, where its output has it."""
    return {
        option
        for output in evidence.outputs
        if "usage: " in output.text
        for option in _OPTION.findall(output.text[output.text.index("usage: ") :])
    }


def _nearest(key: str, options: set[str]) -> str | None:
    """The option most like a key, of those with the same parent; `None` where the key itself is one."""
    parent = key.rpartition(".")[0]
    same = sorted(option for option in options if option.rpartition(".")[0] == parent)
    if key in same:
        return None
    return next(iter(get_close_matches(key, same, n=1, cutoff=0.75)), None)


def _config_files(evidence: Evidence) -> Iterator[Path]:
    words = [word.rpartition("=")[2] for word in evidence.command]
    names = [word for word in words if word.endswith((".yaml", ".yml"))]
    for name in names[:MOST_FILES]:
        path = Path(evidence.folder, name)
        if path.is_file():
            yield path


def _line_of(key: str, path: Path) -> int | None:
    """The line of a dotted key in a YAML file, read by its indentation; in a flow mapping that of its last part."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            lines = file.read(FILE_LIMIT).split("\n")
    except OSError:
        return None
    last = key.rpartition(".")[2]
    in_flow = re.compile(rf"[{{,]\s{{0,20}}['\"]?{re.escape(last)}['\"]?\s{{0,20}}:")
    block = next((number for number, name in _keys(lines) if name == key or name.endswith(f".{key}")), None)
    return block or next((number for number, line in enumerate(lines, 1) if in_flow.search(line)), None)


def _keys(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """The dotted keys of a block mapping, each with its line."""
    above: list[tuple[int, str]] = []
    for number, line in enumerate(lines, 1):
        if (match := _YAML_KEY.match(line)) is None:
            continue
        indent = len(match[1])
        above = [*((depth, name) for depth, name in above if depth < indent), (indent, match[2])]
        yield number, ".".join(name for _, name in above)
