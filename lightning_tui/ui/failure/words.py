"""How a failure and its fixes are spoken of: on the card, in the window, in the state line."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING

from lightning_tui.services.findings import Beginning, FieldChange, Fix
from lightning_tui.ui.plan.words import value_words
from lightning_tui.ui.words import tail_of_id

if TYPE_CHECKING:
    from lightning_tui.record import Failure


def change_words(fix: Fix) -> str:
    """What it changes, in a line: `batch 32 → 16, accumulate 1 → 2`."""
    return ", ".join(_change(change) for change in fix.fields) or "start again"


def _change(change: FieldChange) -> str:
    from lightning_tui.plan.fields import FIELD_TEXTS

    before, after = values_in_words(change)
    arrow = "→ " if before or after not in ("yes", "no") else ""
    return f"{FIELD_TEXTS[change.name].label} {before and f'{before} '}{arrow}{after}"


def values_in_words(change: FieldChange) -> tuple[str, str]:
    """A field's value before, empty where that is not known, and after."""
    before = "" if change.before is None else value_words(change.name, change.before)
    return before, value_words(change.name, change.after)


def beginning_words(beginning: Beginning) -> tuple[str, str]:
    """From where a child goes on, in full and short: `from last.ckpt step 400`, `from step 400`."""
    if beginning.checkpoint is None:
        typed = beginning.reason.startswith("from ")
        return (beginning.reason if typed else "from the beginning",) * 2
    name = PurePath(beginning.checkpoint).name
    if beginning.step is None:
        return (f"from {name}",) * 2
    short = f"from step {beginning.step}"
    return (short if f"step={beginning.step}" in name else f"from {name} step {beginning.step}"), short


def tried_words(fix: Fix) -> str:
    """In which run it was tried before."""
    return f"(tried in {tail_of_id(fix.tried_in)})" if fix.tried_in else ""


def first_sentence(text: str) -> str:
    """The first clause of an advice: what it does, without what it means."""
    return re.split(r"(?<=[a-z)]): |\. ", text)[0].rstrip(".")


def rest_of(text: str) -> str:
    """What an advice says beyond its first clause."""
    return text[len(first_sentence(text)) :].lstrip(".: ")


def last_frame(failure: Failure) -> str:
    """The innermost place in the traceback that is no library's: `train.py:41 in training_step`."""
    frames = re.findall(r'File "([^"\n]+)", line (\d+), in (\S+)', failure.traceback)
    if not frames:
        return ""
    own = [found for found in frames if "site-packages" not in found[0] and "/lib/python" not in found[0]]
    path, line, function = (own or frames)[-1]
    return f"{path.rpartition('/')[2]}:{line} in {function}"
