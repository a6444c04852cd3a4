"""The Plan pane: how the program shall run, field by field, and what the Trainer made of it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from lightning_tui.plan.model import FIELDS
from lightning_tui.ui.panes.base import Pane, labelled
from lightning_tui.ui.rows import EMPTY, Row, dots, fill, join, selected, width_of
from lightning_tui.ui.view import View
from lightning_tui.ui.words import rank_state
from lightning_tui.words import plural, short_count, size

if TYPE_CHECKING:
    from lightning_tui.record import RunSnapshot

PROGRAM = "program"

LABELS = {
    PROGRAM: "Program",
    "strategy": "Strategy",
    "precision": "Precision",
    "devices": "Devices",
    "accelerator": "Hardware",
    "num_nodes": "Nodes",
    "max_epochs": "Epochs",
    "max_steps": "Steps",
    "max_time": "Time",
    "accumulate_grad_batches": "Accumulate",
    "gradient_clip_val": "Clip",
    "val_check_interval": "Val every",
    "limit_train_batches": "Train on",
    "limit_val_batches": "Val on",
    "log_every_n_steps": "Log every",
    "default_root_dir": "Root",
    "ckpt_path": "Resume",
}

_ALWAYS = (
    "strategy",
    "precision",
    "devices",
    "max_epochs",
    "max_steps",
    "accumulate_grad_batches",
    "gradient_clip_val",
)
_SHARES = {"val_check_interval": "an epoch", "limit_train_batches": "all", "limit_val_batches": "all"}
"""Fields that are a share or a number of batches, and what their whole is."""

_UNSET = "as the script says"


class PlanPane(Pane):
    """Fields with a cursor; enter changes the one under it."""

    name_of_pane = "plan"

    def __init__(self, view: View) -> None:
        super().__init__(view)
        self._cursor = 1

    @property
    def field(self) -> str:
        """The field under the cursor."""
        fields = self._fields()
        return fields[min(self._cursor, len(fields) - 1)]

    def scroll_by(self, lines: int) -> None:
        self._cursor = max(0, min(len(self._fields()) - 1, self._cursor + lines))
        self.redraw()

    def body(self, width: int, height: int) -> list[Row]:
        view = self.view
        rows: list[Row] = []
        line_of_cursor = 0
        for name in self._fields():
            if name in ("strategy", "max_epochs") and height > 12:
                rows.append(EMPTY)
            if name == self.field:
                line_of_cursor = len(rows)
            rows.append(field_row(view, name, width, is_marked=self.has_focus and name == self.field))
        facts = run_rows(view, width)
        if facts and len(rows) + len(facts) + 1 <= height:
            rows += [EMPTY, *facts]
        self._offset = min(max(self._offset, line_of_cursor - height + 1), line_of_cursor)
        return rows

    def summary(self, width: int) -> Row:
        return summary_row(self.view, width)

    def facts(self, width: int) -> Row:
        if not self.has_focus or self.view.readonly:
            return EMPTY
        return ((self.view.key("open"), "accent"), (" edit", "dim"))

    def _fields(self) -> list[str]:
        view = self.view
        is_roomy = self.size.height > 26 or self.size.width > 60
        shown = [name for name in LABELS if name in _ALWAYS or (name in FIELDS and (is_roomy or _is_set(view, name)))]
        return [PROGRAM, *shown]


def field_row(view: View, name: str, width: int, is_marked: bool = False) -> Row:
    """A field: what is asked for, or what is in effect, and what the script itself says where that differs."""
    value, hint = _program_words(view) if name == PROGRAM else field_words(view, name)
    row = labelled(LABELS[name], join([value, hint], width - 11, ("  ", "text")), width)
    return selected(fill(row, width)) if is_marked else row


def field_words(view: View, name: str) -> tuple[Row, Row]:
    """The value and a hint beside it."""
    wanted = getattr(view.plan, name)
    run = view.run
    seen = run.trainer.fields.get(name) if run is not None and run.trainer is not None else None
    if run is not None and run.record.plan.get(name) != wanted:
        now = value_words(name, seen.actual) if seen is not None else value_words(name, run.record.plan.get(name))
        return ((now, "text"),), (
            ("next: ", "dim"),
            (value_words(name, wanted) if wanted is not None else "script's", "accent+b"),
        )
    if seen is None:
        return (((_UNSET, "faint"),) if wanted is None else ((value_words(name, wanted), "accent+b"),)), EMPTY
    actual, script = value_words(name, seen.actual), value_words(name, seen.script)
    if seen.requested is None:
        return ((actual, "text"),), EMPTY
    requested = value_words(name, seen.requested)
    value: Row = ((requested, "accent+b"),)
    if actual != requested:
        value = (*value, (" → ", "dim"), (actual, "text"))
    return value, ((f"script: {script}", "warn"),) if script not in (requested, "none") else EMPTY


def value_words(name: str, value: object) -> str:
    """A field's value as it is written on the screen."""
    if value is None:
        return "none"
    if isinstance(value, list):
        return ", ".join(str(part) for part in value)
    if value == -1:
        return "all" if name == "devices" else "no limit"
    if name in _SHARES and isinstance(value, int | float):
        return _share_words(value, _SHARES[name])
    return f"{value:g}" if isinstance(value, float) else str(value)


def _share_words(value: float, whole: str) -> str:
    """Lightning takes a float as a share and a whole number as so many batches: 1.0 and 1 are far from the same."""
    if isinstance(value, int):
        return plural(value, "batch", "batches")
    return whole if value == 1 else f"{value:.3%}".rstrip("0%").rstrip(".") + f" % of {whole}"


def run_rows(view: View, width: int) -> list[Row]:
    """What the run itself adds: libraries, size of the model, ranks, checkpoints."""
    run = view.run
    if run is None:
        return []
    rows: list[Row] = []
    if run.trainer is not None:
        versions = dots(((f"{run.trainer.flavour.partition('.')[0]} {run.trainer.lightning}", "text"),))
        rows.append(labelled("Trainer", versions, width))
        if run.trainer.parameters is not None:
            amount: Row = ((short_count(run.trainer.parameters), "text"), (" parameters", "dim"))
            rows.append(labelled("Model", amount, width))
    if len(run.ranks) > 1:
        rows.append(labelled("Ranks", _rank_words(run, view.is_active), width))
    if run.checkpoints:
        rows.append(labelled("Saved", _saved_words(run, width - 11), width))
    return rows


def summary_row(view: View, width: int) -> Row:
    """Program and what was set, in one line."""
    if view.program is None and view.run is None:
        return ((view.key("open"), "accent+b"), (" chooses a program", "dim"))
    parts: list[Row] = [((view.label or "", "text"),)]
    for name in ("strategy", "precision", "devices", *(n for n in FIELDS if n not in _ALWAYS), *_ALWAYS[3:]):
        value, _ = field_words(view, name)
        if value and value[0][0] not in (_UNSET, "none") and (_is_set(view, name) or name in _ALWAYS[:3]):
            prefix: Row = EMPTY if name in ("strategy", "precision") else ((f"{LABELS[name].lower()} ", "dim"),)
            parts.append((*prefix, *value))
    if len(parts) == 1:
        parts.append(((_UNSET, "dim"),))
    return join(parts, width, (" · ", "dim"))


def _program_words(view: View) -> tuple[Row, Row]:
    if view.run is not None:
        return ((" ".join(view.run.record.program.given) or view.run.record.program.label, "text"),), EMPTY
    if view.program is None:
        return (("none yet", "dim"),), EMPTY
    return ((" ".join(masked(view.program.given)), "text"),), EMPTY


def masked(words: tuple[str, ...]) -> list[str]:
    """The words of a command line, secrets masked."""
    if len(words) == 1:
        return list(words)
    from lightning_tui.record.masking import mask_secrets

    return mask_secrets(words)


def _is_set(view: View, name: str) -> bool:
    return getattr(view.plan, name) is not None or (view.run is not None and view.run.record.plan.get(name) is not None)


def _rank_words(run: RunSnapshot, is_active: bool) -> Row:
    states = Counter(rank_state(rank.state, is_active) for rank in run.ranks)
    return dots(*(((str(amount), "text"), (f" {state}", "dim")) for state, amount in states.items()))


def _saved_words(run: RunSnapshot, width: int) -> Row:
    last = run.checkpoints[-1]
    parts: list[Row] = [((plural(len(run.checkpoints), "checkpoint"), "text"),), ((f"step {last.global_step}", "dim"),)]
    if last.size is not None:
        parts.append(((size(last.size), "dim"),))
    row = join(parts, width, (" · ", "dim"))
    return row if width_of(row) <= width else row[:1]
