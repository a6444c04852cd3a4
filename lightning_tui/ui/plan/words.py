"""What is said of a field of the plan: its value in words, what the script says, and a change that nobody asked for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from lightning_tui.text.units import plural
from lightning_tui.ui.drawing.rows import EMPTY, Row

if TYPE_CHECKING:
    from lightning_tui.record.events import TrainerField
    from lightning_tui.ui.view import View

UNSET = "as the script says"

_SHARES = {"val_check_interval": "an epoch", "limit_train_batches": "all", "limit_val_batches": "all"}
"""Fields that are a share or a number of batches, and what their whole is."""

_OPEN = (None, "auto", -1)
"""Values by which a script, or a plan, leaves the choice to Lightning."""

_PATHS = frozenset({"default_root_dir", "ckpt_path", "checkpoint_dir"})
"""Fields whose value in effect is the whole path of what was asked for."""

_PRECISIONS = {"16": "16-mixed", "bf16": "bf16-mixed", "32": "32-true", "64": "64-true"}


class FieldState(msgspec.Struct, frozen=True):
    """How a field is drawn."""

    value: Row
    hint: Row = EMPTY


def field_state(view: View, name: str) -> FieldState:
    """The value, and a hint beside it."""
    wanted = getattr(view.plan, name)
    run = view.run
    seen = run.trainer.fields.get(name) if run is not None and run.trainer is not None else None
    if run is not None and run.record.plan.get(name) != wanted:
        now = value_words(name, seen.actual) if seen is not None else value_words(name, run.record.plan.get(name))
        following = value_words(name, wanted) if wanted is not None else "script's"
        return FieldState(((now, "text"),), (("next: ", "dim"), (following, "accent+b")))
    return _after_start(name, seen) if seen is not None else _before_start(name, wanted, script_value(view, name))


def script_value(view: View, name: str) -> object:
    """What the script itself says: to the run on the screen, else when it was measured; `None` where not known."""
    if view.run is not None:
        seen = view.run.trainer.fields.get(name) if view.run.trainer is not None else None
        return seen.script if seen is not None else None
    memory = view.judgement.memory if view.judgement is not None else None
    return memory.probe.trainer.get(name) if memory is not None else None


def _before_start(name: str, wanted: object, script: object) -> FieldState:
    if wanted is None and script is None:
        return FieldState(((UNSET, "faint"),))
    if wanted is None:
        return FieldState(((value_words(name, script), "text"),), (("script's", "faint"),))
    return FieldState(((value_words(name, wanted), "accent+b"),), _script_hint(name, wanted, script))


def _script_hint(name: str, wanted: object, script: object) -> Row:
    said = value_words(name, script)
    return (
        ((f"script: {said.removesuffix('-true')}", "dim"),)
        if said not in (value_words(name, wanted), "none")
        else EMPTY
    )


def _after_start(name: str, seen: TrainerField) -> FieldState:
    """What is in effect, and where that comes from."""
    actual, script = value_words(name, seen.actual), value_words(name, seen.script)
    if is_unasked(name, seen):
        asked = f"asked {value_words(name, seen.requested)}" if seen.requested is not None else f"script: {script}"
        return FieldState(((actual, "warn+b"),), ((f"▲ {asked}", "warn"),))
    if seen.requested is None:
        return FieldState(((actual, "text"),))
    requested = value_words(name, seen.requested)
    value: Row = ((requested, "accent+b"),)
    if actual not in (requested, "none"):
        value = (*value, (" → ", "dim"), (actual, "text"))
    return FieldState(value, _script_hint(name, seen.requested, seen.script))


def is_unasked(name: str, seen: TrainerField) -> bool:
    """Whether what is in effect is neither what the plan asked for nor, without that, what the script says.

    What both leave to Lightning (auto, -1, nothing) it may fill in as it likes.
    """
    asked = seen.script if seen.requested is None else seen.requested
    if asked in _OPEN or seen.actual is None or name in _PATHS:
        return False
    if isinstance(asked, str) and re.fullmatch(r"[A-Z]\w*(Strategy|Precision|Accelerator|Plugin)", asked):
        return False  # an object of the script, told by its class: not comparable with a name
    return _plain(name, asked) != _plain(name, seen.actual)


def _plain(name: str, value: object) -> object:
    """The value without what makes no difference: other spellings of the same."""
    if name == "precision":
        return _PRECISIONS.get(str(value), str(value))
    if name == "strategy":
        return re.sub(r"_find_unused_parameters_(true|false)$", "", str(value))
    if name == "accelerator":
        return {"gpu": "cuda"}.get(str(value), str(value))
    if name == "devices":
        return _device_count(value)
    if name == "max_time":
        return _seconds(value)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _device_count(value: object) -> object:
    if isinstance(value, list):
        return len(value)
    text = str(value)
    if "," in text:
        return len([part for part in text.split(",") if part.strip()])
    return int(text) if text.lstrip("-").isdigit() else value


def _seconds(value: object) -> object:
    parts = str(value).split(":")
    if len(parts) != 4 or not all(part.isdigit() for part in parts):
        return value
    days, hours, minutes, seconds = map(int, parts)
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def value_words(name: str, value: object) -> str:
    """A field's value as it is written on the screen."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(str(part) for part in value)
    if value == -1:
        return "all" if name in ("devices", "checkpoint_save_top_k", "num_sanity_val_steps") else "no limit"
    if name in _SHARES and isinstance(value, int | float):
        return _share_words(value, _SHARES[name])
    return f"{value:g}" if isinstance(value, float) else str(value)


def _share_words(value: float, whole: str) -> str:
    """Lightning takes a float as a share and a whole number as so many batches: 1.0 and 1 are far from the same."""
    if isinstance(value, int):
        return plural(value, "batch", "batches")
    return whole if value == 1 else f"{value:.3%}".rstrip("0%").rstrip(".") + f" % of {whole}"
