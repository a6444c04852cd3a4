"""Is this file a Python script, and which interpreter does its first line name?"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import msgspec

_LOOKED_AT = 1 << 20
_PYTHON_NAME = re.compile(r"(python|pypy)[\d.]*t?")
_RELATIVE_TRICK = re.compile(r"dirname.*/'?((?:python|pypy)[\d.]*)'? ")


class ScriptError(Exception):
    """A file that is no Python script; the message says what it is instead, in the form "it is ..."."""


class Script(msgspec.Struct, frozen=True):
    """A text file that Python can be given."""

    interpreter: str | None
    """What its first line names: a path, a bare name such as `python3`, or `None` where there is no such line."""


def read_script(path: Path) -> Script:
    """Look at the file's beginning.

    Raises:
        ScriptError: it cannot be read, is binary, or belongs to another language.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_LOOKED_AT)
    except OSError as error:
        raise ScriptError(f"it cannot be read: {error.strerror or error}") from error
    if b"\0" in head:
        raise ScriptError("it is a binary file")
    lines = head.decode(errors="replace").splitlines()
    if not lines or not lines[0].startswith("#!"):
        return Script(None)
    return Script(_named_interpreter(lines[0][2:].strip(), lines[1] if len(lines) > 1 else "", path))


def is_python_name(name: str) -> bool:
    """Whether a program of this name is a Python interpreter: `python`, `python3.12`, `pypy3`."""
    return _PYTHON_NAME.fullmatch(name) is not None


def _named_interpreter(first: str, second: str, path: Path) -> str:
    if second.startswith("'''exec'"):
        return _from_exec_trick(second, path)
    words = _shebang_words(first)
    if words and Path(words[0]).name == "env":
        words = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
    if words[:2] == ["uv", "run"]:  # a script that carries its requirements; any interpreter reads it
        return "python3"
    if words and is_python_name(Path(words[0]).name):
        return words[0]
    raise ScriptError(f"its first line says that it is run by {' '.join(words) or 'nothing'}")


def _from_exec_trick(line: str, path: Path) -> str:
    """Installers write `#!/bin/sh` and `'''exec' PYTHON "$0" "$@"` where the path is too long or shall be relative."""
    relative = _RELATIVE_TRICK.search(line)
    if relative:
        return str(path.absolute().parent / relative[1])
    words = _shebang_words(line)
    if len(words) > 1 and words[0] == "exec" and is_python_name(Path(words[1]).name):
        return words[1]
    raise ScriptError("its first line says that it is run by /bin/sh")


def _shebang_words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:
        return line.split()
