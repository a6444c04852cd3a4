"""The Plan pane: how the program shall run, field by field, what the Trainer made of it, and whether it fits."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from lightning_tui.plan.fields import FIELD_TEXTS, GROUPS
from lightning_tui.plan.model import FIELDS
from lightning_tui.text.units import gib, plural, short_count, size
from lightning_tui.ui.drawing.canvas import labelled
from lightning_tui.ui.drawing.rows import EMPTY, Row, crop, dots, fill, first_fitting, join, selected, width_of, wrap
from lightning_tui.ui.pane import Pane
from lightning_tui.ui.plan.words import UNSET, FieldState, field_state
from lightning_tui.ui.view import View
from lightning_tui.ui.words import rank_state

if TYPE_CHECKING:
    from lightning_tui.plan.outlook import Outlook
    from lightning_tui.record import RunSnapshot

PROGRAM = "program"
FITS = "fits"
ALL_FIELDS = "all fields"
"""Rows with a cursor that are no fields of the plan."""

_LABELS = {PROGRAM: "Program", FITS: "Memory", ALL_FIELDS: "All fields …"}

_FIRST = ("strategy", "precision", "devices", "accumulate_grad_batches", "gradient_clip_val")
_LIMITS = ("max_epochs", "max_steps")
_ALWAYS = (*_FIRST, *_LIMITS)

_OFTEN = frozenset(
    {
        "accelerator", "num_nodes", "max_time", "limit_train_batches", "limit_val_batches", "val_check_interval",
        "log_every_n_steps", "batch_size", "num_workers", "default_root_dir", "ckpt_path",
    }
)  # fmt: skip
"""Shown where there is room, set or not."""

_LABEL_WIDTH = 14
"""Column of the values; fields with longer names move their own column to the right."""
_VALUE_WIDTH = 12
_HELP_FROM = 84
"""Columns from which a field's help stands beside it."""
_HELP_AFTER = 31
"""Columns from a field's value to its help."""


class PlanPane(Pane):
    """Fields with a cursor; enter changes the one under it."""

    name_of_pane = "plan"
    draws = ("plan", "judgement", "program", "run", "is_opening", "readonly", "keys")

    def __init__(self, view: View) -> None:
        super().__init__(view)
        self._cursor = 1

    @property
    def field(self) -> str:
        """The field under the cursor, or one of `PROGRAM`, `FITS`, `ALL_FIELDS`."""
        fields = [name for block in self._blocks() for name in block]
        return fields[min(self._cursor, len(fields) - 1)]

    def scroll_by(self, lines: int) -> None:
        self._cursor = max(0, min(sum(map(len, self._blocks())) - 1, self._cursor + lines))
        self.redraw()

    def body(self, width: int, height: int) -> list[Row]:
        rows: list[Row] = []
        line_of_cursor = 0
        blocks, field = self._blocks(), self.field
        labels = max(_LABEL_WIDTH, 1 + max(len(_label(name)) for block in blocks for name in block))
        has_gaps = height > sum(map(len, blocks)) + len(blocks)
        for block in blocks:
            if rows and has_gaps:
                rows.append(EMPTY)
            for name in block:
                if name == field:
                    line_of_cursor = len(rows)
                rows += self._rows_of(name, width, height, labels)
        rows += self._below(width, height - len(rows), labels)
        self._offset = min(max(self._offset, line_of_cursor - height + 1), line_of_cursor)
        return rows

    def summary(self, width: int) -> Row:
        return summary_row(self.view, width)

    def heading(self) -> Row:
        run = self.view.run
        return ((f"fit {run.fits[0].number} of {run.fit_count}", "dim"),) if run and run.fit_count > 1 else EMPTY

    def facts(self, width: int) -> Row:
        if not self.has_focus or self.view.readonly:
            return EMPTY
        return ((self.view.key("open"), "accent"), (" edit", "dim"))

    def _blocks(self) -> list[list[str]]:
        """The rows with a cursor, in groups."""
        first = [*_FIRST, *(name for name in ("accelerator", "num_nodes") if self._is_shown(name))]
        limits = [*_LIMITS, *(n for n in _in_group("Duration") if n not in _LIMITS and self._is_shown(n))]
        rest = [
            [name for name in _in_group(group) if name not in (*_ALWAYS, *first) and self._is_shown(name)]
            for group in GROUPS
            if group != "Duration"
        ]
        others = [name for block in rest for name in block]
        return [[PROGRAM], first, limits, *([others] if others else []), [FITS], [ALL_FIELDS]]

    def _is_shown(self, name: str) -> bool:
        return is_set(self.view, name) or (name in _OFTEN and self.size.height > 30)

    def _rows_of(self, name: str, width: int, height: int, labels: int) -> list[Row]:
        if name not in FIELD_TEXTS and width < _HELP_FROM:
            labels = _LABEL_WIDTH
        is_memory = name == FITS
        rows = fits_rows(self.view, width, height, labels) if is_memory else [self._row_of(name, width, labels)]
        if self.has_focus and name == self.field:
            rows[0] = selected(fill(rows[0], width))
        return rows

    def _row_of(self, name: str, width: int, labels: int) -> Row:
        if name == ALL_FIELDS:
            amount = len(self.view.plan.changes())
            return labelled(_label(name), ((f"{amount} of {len(FIELDS)} set", "dim"),), width, labels)
        if name == PROGRAM:
            return labelled(_label(name), _program_words(self.view), width, labels)
        return field_row(self.view, name, width, labels)

    def _below(self, width: int, room: int, labels: int) -> list[Row]:
        """What stands in the way, what the run adds, and help, as far as there is room."""
        labels = labels if width >= _HELP_FROM else _LABEL_WIDTH
        rows: list[Row] = []
        for part in (problem_rows(self.view, width), run_rows(self.view, width, labels), self._help_rows(width)):
            if part and len(rows) + len(part) + 1 <= room:
                rows += [EMPTY, *part]
        return rows

    def _help_rows(self, width: int) -> list[Row]:
        """What the field under the cursor is for, where that does not stand beside it."""
        text = FIELD_TEXTS.get(self.field)
        if text is None or not self.has_focus or width >= _HELP_FROM:
            return []
        return [((self.field, "faint"),), *wrap(text.sentence, width, "dim")]


def _label(name: str) -> str:
    return _LABELS.get(name) or FIELD_TEXTS[name].label


def _in_group(group: str) -> list[str]:
    return [name for name, text in FIELD_TEXTS.items() if text.group == group]


def is_set(view: View, name: str) -> bool:
    """Whether the plan says something of the field, or the plan of the run on the screen did."""
    return getattr(view.plan, name) is not None or (view.run is not None and view.run.record.plan.get(name) is not None)


def field_row(view: View, name: str, width: int, labels: int) -> Row:
    """A field: what is asked for, or what is in effect, and beside it what must be known of that.

    `labels` is the width of the column of labels; a row whose hint does not fit beside its value starts before it.
    """
    state, label = field_state(view, name), _label(name)
    hint = _hint(view, name, state)
    if hint:
        labels = min(labels, max(len(label) + 1, width - width_of(state.value) - 1 - width_of(hint)))
    row = labelled(label, _beside(state.value, hint, width - labels), width, labels)
    if width < _HELP_FROM:
        return row
    return crop((*fill(row, labels + _HELP_AFTER), ("  ", "text"), (FIELD_TEXTS[name].help, "faint")), width)


def _beside(value: Row, hint: Row, width: int) -> Row:
    """A hint in its own column; further to the left where it would not fit, and never left out."""
    if not hint:
        return value
    at = min(_VALUE_WIDTH, width - width_of(hint) - 2)
    gap = 2 if width_of(value) + 2 + width_of(hint) <= width else 1
    return crop((*fill(value, max(at, width_of(value))), (" " * gap, "text"), *hint), width)


def _hint(view: View, name: str, state: FieldState) -> Row:
    """A warning first, then what the script says, then a word of praise."""
    if state.hint:
        return state.hint
    recommended = view.judgement.recommended.get(name) if view.judgement is not None else None
    is_praised = recommended is not None and recommended == getattr(view.plan, name) and name in _FIRST[:2]
    return (("recommended", "good"),) if is_praised else EMPTY


# ------------------------------------------------------------------------------------------------------ whether it fits


def fits_rows(view: View, width: int, height: int, labels: int) -> list[Row]:
    """The estimate of the plan; where there is room, a bar, the model, and what helps most."""
    from lightning_tui.ui.plan.memory import bar, span_words, verdict

    memory = view.judgement.memory if view.judgement is not None else None
    if memory is None:
        return [labelled(_LABELS[FITS], _unmeasured(view, width - labels), width, labels)]
    present, room = memory.present, width - labels
    if present.low is None:
        why = present.omits[0] if present.omits else "not known"
        return [labelled(_LABELS[FITS], (("unknown", "dim"), (f": {why}", "dim")), width, labels)]
    said = ((span_words(present), "text+b"),)
    of: Row = ((f" of {gib(memory.capacity)} GiB" if memory.capacity is not None else " GiB a process", "dim"),)
    mark = (("  ", "text"), verdict(present)) if memory.capacity is not None else EMPTY
    has_bar = height > 16 and memory.capacity is not None
    told: list[Row] = [(*said, *of) if has_bar else first_fitting([(*said, *of, *mark), (*said, *mark)], room)]
    if has_bar and memory.capacity is not None:
        told.append((*bar(present, memory.capacity, min(24, room - width_of(mark))), *mark))
    if height > 20:
        told += [model_words(memory, room), *_advice(memory, room)]
    return [labelled("" if at else _LABELS[FITS], row, width, labels) for at, row in enumerate(told) if row]


def _unmeasured(view: View, room: int) -> Row:
    if view.program is None and view.run is None:
        return (("–", "faint"),)
    if view.judgement is not None and view.judgement.unmeasured_because:
        return crop((("unknown", "warn"), (f": {view.judgement.unmeasured_because.splitlines()[0]}", "dim")), room)
    if view.readonly or view.is_active:
        return (("unknown", "faint"),)
    return join([(("unknown", "faint"),), ((view.key("open"), "accent"), (" measures", "dim"))], room)


def model_words(memory: Outlook, width: int) -> Row:
    """Parameters and batch."""
    parts: list[Row] = []
    if memory.probe.parameters is not None:
        parts.append(((short_count(memory.probe.parameters), "text"), (" params", "dim")))
    if memory.batch_size is not None:
        parts.append((("batch ", "dim"), (str(memory.batch_size), "text")))
    return join(parts, width, (" · ", "dim"))


def _advice(memory: Outlook, width: int) -> list[Row]:
    """The largest batch where the plan fits, else what helps most."""
    if memory.present.fits in ("tight", "too large") and memory.knobs:
        best = memory.knobs[0]
        first, *rest = wrap(f"{best.text}: −{size(best.saves)}", width - 2)
        return [(("▸ ", "accent"), *first), *((("  ", "text"), *row) for row in rest)]
    if memory.largest_batch:
        return [(("largest batch ", "dim"), (str(memory.largest_batch), "text"))]
    return []


# ------------------------------------------------------------------------------------------------------------- the rest


def problem_rows(view: View, width: int) -> list[Row]:
    """What surely keeps the plan from working; while a run is going on, its own output says more."""
    if view.judgement is None or view.is_active:
        return []
    rows: list[Row] = []
    for problem in view.judgement.problems:
        first, *rest = wrap(problem, width - 2, "warn")
        rows += [(("▲ ", "warn"), *first), *((("  ", "text"), *row) for row in rest)]
    return rows


def run_rows(view: View, width: int, labels: int) -> list[Row]:
    """What the run itself adds: libraries, size of the model, ranks, checkpoints."""
    run = view.run
    if run is None:
        return []
    rows: list[Row] = []
    if run.trainer is not None:
        versions = dots(((f"{run.trainer.flavour.partition('.')[0]} {run.trainer.lightning}", "text"),))
        rows.append(labelled("Trainer", versions, width, labels))
        if run.trainer.parameters is not None:
            amount: Row = ((short_count(run.trainer.parameters), "text"), (" parameters", "dim"))
            rows.append(labelled("Model", amount, width, labels))
    if len(run.ranks) > 1:
        rows.append(labelled("Ranks", _rank_words(run, view.is_active), width, labels))
    reserved = max((rank.reserved or 0 for rank in run.ranks), default=0)
    total = max((rank.device_total or 0 for rank in run.ranks), default=0)
    if reserved and total:
        rows.append(labelled("Reserved", ((gib(reserved), "text"), (f" of {gib(total)} GiB", "dim")), width, labels))
    if run.checkpoints:
        rows.append(labelled("Saved", _saved_words(run, width - labels), width, labels))
    return rows


def summary_row(view: View, width: int) -> Row:
    """Program and what was set, in one line."""
    if view.program is None and view.run is None:
        return ((view.key("open"), "accent+b"), (" selects a program", "dim"))
    parts: list[Row] = [((view.label or "", "text"),)]
    for name in ("strategy", "precision", "devices", *(n for n in FIELDS if n not in _ALWAYS), *_ALWAYS[3:]):
        value = field_state(view, name).value
        if value and value[0][0] not in (UNSET, "none") and (is_set(view, name) or name in _ALWAYS[:3]):
            label = FIELD_TEXTS[name].label
            prefix: Row = EMPTY if name in ("strategy", "precision") else ((f"{label} ", "dim"),)
            parts.append((*prefix, *value))
    if len(parts) == 1:
        parts.append(((UNSET, "dim"),))
    return join(parts, width, (" · ", "dim"))


def _program_words(view: View) -> Row:
    if view.run is not None:
        return ((" ".join(view.run.record.program.given) or view.run.record.program.label, "text"),)
    if view.program is None:
        return (("none yet", "dim"),)
    return ((" ".join(masked(view.program.given)), "text"),)


def masked(words: tuple[str, ...]) -> list[str]:
    """The words of a command line, secrets masked."""
    if len(words) == 1:
        return list(words)
    from lightning_tui.record.masking import mask_secrets

    return mask_secrets(words)


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
