"""The plan: how a program shall run. A field that is `None` stays as the script says and is never touched."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any

import msgspec

PRECISIONS = (
    "32-true",
    "16-mixed",
    "bf16-mixed",
    "16-true",
    "bf16-true",
    "64-true",
    "transformer-engine",
    "transformer-engine-float16",
)
"""Lightning's precision words (`lightning/fabric/connector.py`); it also takes 16, 32, 64 and "bf16"."""

ACCELERATORS = ("auto", "cpu", "gpu", "cuda", "mps", "tpu")


class PlanError(ValueError):
    """A plan that cannot be meant; the message names the value, what is allowed and the fix."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Overrides for one run, named and meant as the Trainer's own arguments."""

    accelerator: str | None = None
    strategy: str | None = None
    precision: str | None = None
    devices: int | str | list[int] | None = None
    """A number, -1 or "auto" (all), or a list of indices."""
    num_nodes: int | None = None
    max_epochs: int | None = None
    max_steps: int | None = None
    max_time: str | None = None
    """`DD:HH:MM:SS`."""
    accumulate_grad_batches: int | None = None
    gradient_clip_val: float | None = None
    val_check_interval: int | float | None = None
    limit_train_batches: int | float | None = None
    limit_val_batches: int | float | None = None
    log_every_n_steps: int | None = None
    default_root_dir: str | None = None
    ckpt_path: str | None = None
    """Checkpoint that `fit` resumes from: a path, "last" or "best"."""

    def changes(self) -> dict[str, Any]:
        """Only the fields that are set."""
        return {name: value for name in FIELDS if (value := getattr(self, name)) is not None}

    def with_field(self, name: str, text: str) -> Plan:
        """Return the plan with one field set from what a person typed; empty text means "as the script says".

        Raises:
            PlanError: no such field, or the text is no value for it.
        """
        return msgspec.structs.replace(self, **{field_name(name): parse_value(name, text) if text.strip() else None})


FIELDS: tuple[str, ...] = Plan.__struct_fields__


def plan_from_mapping(values: Mapping[str, Any]) -> Plan:
    """Make a plan from a plain mapping (a plan file, a run's record).

    Raises:
        PlanError: an unknown field, or a value that cannot be meant.
    """
    return msgspec.structs.replace(Plan(), **{field_name(n): _checked(field_name(n), v) for n, v in values.items()})


def field_name(name: str) -> str:
    """Return the plan's name of a field given with dashes or underscores.

    Raises:
        PlanError: there is no such field; the message offers the nearest.
    """
    plain = name.strip().replace("-", "_")
    if plain in FIELDS:
        return plain
    near = difflib.get_close_matches(plain, FIELDS, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise PlanError(f"{name!r} is no field of a plan.{hint} Fields: {', '.join(FIELDS)}.")


def parse_value(name: str, text: str) -> Any:
    """Turn what a person typed into a field's value.

    Raises:
        PlanError: the text is no value for this field.
    """
    name, text = field_name(name), text.strip()
    if name == "devices":
        return _checked(name, _parse_devices(text))
    return _checked(name, text if name in _TEXT_FIELDS else _parse_number(name, text))


_TEXT_FIELDS = frozenset({"accelerator", "strategy", "precision", "max_time", "default_root_dir", "ckpt_path"})
_WHOLE = frozenset({"num_nodes", "max_epochs", "max_steps", "accumulate_grad_batches", "log_every_n_steps"})
_LEAST: dict[str, float] = {
    "num_nodes": 1,
    "max_epochs": -1,
    "max_steps": -1,
    "accumulate_grad_batches": 1,
    "gradient_clip_val": 0,
    "val_check_interval": 0,
    "limit_train_batches": 0,
    "limit_val_batches": 0,
    "log_every_n_steps": 0,
}


def _parse_devices(text: str) -> int | str | list[int]:
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    listed = text.strip("[]()")
    if re.fullmatch(r"\s*\d+\s*(,\s*\d+\s*)*,?\s*", listed):
        return [int(part) for part in listed.split(",") if part.strip()]
    return text


def _parse_number(name: str, text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        raise PlanError(f"{name}={text!r}: allowed is {_allowed(name)}.") from None


def _checked(name: str, value: Any) -> Any:
    if value is None:
        return None
    checks = {"devices": _is_devices, "precision": _is_precision, "accelerator": _is_accelerator, "max_time": _is_time}
    valid = checks.get(name, _is_text if name in _TEXT_FIELDS else lambda v: _is_number(name, v))
    if not valid(value):
        raise PlanError(f"{name}={value!r}: allowed is {_allowed(name)}.")
    return str(value) if name == "precision" else value


def _is_devices(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(type(v) is int and v >= 0 for v in value) and len(set(value)) == len(value)
    return value == "auto" or (type(value) is int and (value >= 1 or value == -1))


def _is_precision(value: Any) -> bool:
    return str(value) in (*PRECISIONS, "16", "32", "64", "bf16")


def _is_accelerator(value: Any) -> bool:
    return value in ACCELERATORS


def _is_time(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"\d+:\d{1,2}:\d{1,2}:\d{1,2}", value) is not None


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and value.isprintable()


def _is_number(name: str, value: Any) -> bool:
    allowed: tuple[type, ...] = (int,) if name in _WHOLE else (int, float)
    if type(value) not in allowed or not value >= _LEAST[name]:
        return False
    is_share = name in ("limit_train_batches", "limit_val_batches", "val_check_interval")
    return not (is_share and isinstance(value, float) and value > 1.0)


def _allowed(name: str) -> str:
    words = {
        "devices": 'a number above 0, -1 or "auto" for all, or a list such as 0,2',
        "precision": ", ".join(PRECISIONS) + " (or 16, 32, 64, bf16)",
        "accelerator": ", ".join(ACCELERATORS),
        "max_time": "a time as DD:HH:MM:SS, such as 00:12:00:00",
        "val_check_interval": "a share of the epoch from 0.0 to 1.0, or a whole number of batches",
        "limit_train_batches": "a share from 0.0 to 1.0, or a whole number of batches",
        "limit_val_batches": "a share from 0.0 to 1.0, or a whole number of batches",
    }
    if name in words:
        return words[name]
    if name in _TEXT_FIELDS:
        return "printable text"
    return f"a {'whole ' if name in _WHOLE else ''}number, {_LEAST[name]:g} or more"
