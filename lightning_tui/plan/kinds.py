"""What may stand in a field of a plan? How its text is read, which values are accepted, and what to say of others."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import msgspec

_LARGEST = 2**63 - 1  # what a TOML file can hold
_YES = frozenset({"true", "yes", "on"})
_NO = frozenset({"false", "no", "off"})
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_PRIVATE = re.compile(r"(?:KEY|TOKEN|SECRET|PASSW|CREDENTIAL|AUTH)[^=]*=|=(?:hf_|sk-|ghp_|glpat-|AKIA)", re.IGNORECASE)


class Kind(msgspec.Struct, frozen=True):
    """One kind of value."""

    allowed: str
    """What is allowed, to be read after "allowed is"."""
    parse: Callable[[str], Any]
    """Makes a value of what a person typed; what it cannot read it returns as text, which is not accepted."""
    accepts: Callable[[Any], bool]
    choices: tuple[str, ...] = ()
    """All texts that a person may type, where they can be listed."""


def text() -> Kind:
    """Any printable text."""
    return Kind("printable text", str, _is_text)


def choice(*values: str, also: tuple[str, ...] = ()) -> Kind:
    """One of some words. `also` are accepted and not offered."""
    by_lower = {value.lower(): value for value in (*values, *also)}
    words = ", ".join(values) + (f" (or {', '.join(also)})" if also else "")
    return Kind(words, lambda typed: by_lower.get(typed.lower(), typed), (*values, *also).__contains__, values)


def flag() -> Kind:
    """True or false."""
    return Kind("true or false (yes, no, on, off)", _parse_flag, lambda v: isinstance(v, bool), ("true", "false"))


def flag_or(word: str) -> Kind:
    """True, false or one word."""
    return Kind(
        f"true, false or {word}",
        lambda typed: word if typed.lower() == word else _parse_flag(typed),
        lambda v: isinstance(v, bool) or v == word,
        ("true", "false", word),
    )


def whole(least: int, most: int = _LARGEST) -> Kind:
    """A whole number."""
    span = f"from {least} to {most}" if most < _LARGEST else f"{least} or more"
    choices = tuple(map(str, range(least, most + 1))) if most - least < 8 else ()
    return Kind(f"a whole number, {span}", _parse_number, lambda v: _is_whole(v, least, most), choices)


def whole_or(word: str, least: int) -> Kind:
    """A whole number or one word."""
    return Kind(
        f"a whole number, {least} or more, or {word}",
        _parse_number,
        lambda v: v == word or _is_whole(v, least, _LARGEST),
    )


def number(least: float) -> Kind:
    """A number."""
    return Kind(f"a number, {least:g} or more", _parse_number, lambda v: _is_number(v, least))


def share_or_count(words: str) -> Kind:
    """A share from 0.0 to 1.0 or a whole number of batches; Lightning tells them apart by their type."""
    return Kind(words, _parse_number, lambda v: _is_number(v, 0) and not (isinstance(v, float) and v > 1.0))


def time_span() -> Kind:
    """A time as Lightning's `Timer` reads it."""
    return Kind("a time as DD:HH:MM:SS, such as 00:12:00:00", str, _is_time)


def devices() -> Kind:
    """How many devices, or which."""
    return Kind('a number above 0, -1 or "auto" for all, or a list such as 0,2', _parse_devices, _is_devices)


def class_names() -> Kind:
    """Names of module classes: `Block`, or `package.module.Block` where the name alone is not enough."""
    return Kind('names of module classes, separated by commas, such as "Block,MLP"', _parse_names, _is_names)


def variables() -> Kind:
    """Environment variables: no secrets, which would be written down, and none of our own."""
    return Kind(
        'NAME=VALUE with commas between them, such as "OMP_NUM_THREADS=4,MASTER_PORT=free"; no secrets, which would '
        "be written down",
        lambda typed: re.split(r"\s*,\s*(?=[A-Za-z_][A-Za-z0-9_]*=)", typed),
        _are_variables,
    )


def _parse_flag(typed: str) -> bool | str:
    return True if typed.lower() in _YES else False if typed.lower() in _NO else typed


def _parse_number(typed: str) -> int | float | str:
    for read in (int, float):
        try:
            return read(typed)
        except ValueError:
            continue
    return typed


def _parse_devices(typed: str) -> int | str | list[int]:
    if re.fullmatch(r"-?[0-9]+", typed):
        return int(typed)
    listed = typed.strip("[]()")
    if re.fullmatch(r"\s*[0-9]+\s*(,\s*[0-9]+\s*)*,?\s*", listed):
        return [int(part) for part in listed.split(",") if part.strip()]
    return typed


def _parse_names(typed: str) -> list[str]:
    return [part.strip().strip("'\"") for part in typed.strip("[]()").split(",") if part.strip()]


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and value.isprintable()


def _is_whole(value: Any, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most


def _is_number(value: Any, least: float) -> bool:
    if type(value) is int:
        return least <= value <= _LARGEST
    return type(value) is float and math.isfinite(value) and value >= least


def _is_devices(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(_is_whole(v, 0, _LARGEST) for v in value) and len(set(value)) == len(value)
    return value == "auto" or _is_whole(value, -1, -1) or _is_whole(value, 1, _LARGEST)


def _is_time(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[0-9]+:[0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}", value) is not None


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(_is_class_name(v) for v in value)


def _are_variables(value: Any) -> bool:
    if not (isinstance(value, list) and value and all(_is_variable(v) for v in value)):
        return False
    return len({v.partition("=")[0] for v in value}) == len(value)


def _is_variable(value: Any) -> bool:
    if not (isinstance(value, str) and value.isprintable() and _VARIABLE.match(value)):
        return False
    name = value.partition("=")[0]
    return not (_PRIVATE.search(value) or name.startswith("LIGHTNING_TUI_"))


def _is_class_name(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable() and all(part.isidentifier() for part in value.split("."))
