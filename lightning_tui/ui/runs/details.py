"""What is told of the selected run beside or below the list, the most telling first: it is cut where room ends."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lightning_tui.record import RunState, UnreadableRun
from lightning_tui.record.best import metric_summary
from lightning_tui.record.summaries import RunSummary
from lightning_tui.services.runs import ListedRun, RunDetails
from lightning_tui.text.units import ago, count, number, plural, short_duration, size
from lightning_tui.ui.drawing.canvas import labelled, printable
from lightning_tui.ui.drawing.chart import chart, layout_of
from lightning_tui.ui.drawing.frame import ChartStyle
from lightning_tui.ui.drawing.rows import EMPTY, Row, Span, dots, join, width_of, wrap
from lightning_tui.ui.metrics.curves import CurveSettings, drawn_curves, leading, marks_of
from lightning_tui.ui.metrics.grouping import RATES, quantities
from lightning_tui.ui.metrics.words import value_parts
from lightning_tui.ui.plan.words import value_words
from lightning_tui.ui.runs.listing import title_of, took_s
from lightning_tui.ui.runs.table import CHILD

if TYPE_CHECKING:
    from lightning_tui.record.checkpoints import Checkpoint

_MOST_METRICS = 3
_MOST_KIN = 3
_LABEL = 12
_DOT: Span = (" · ", "dim")
"""What `dots` puts between parts."""


def detail_rows(
    run: ListedRun, details: RunDetails | None, kin: Sequence[RunSummary], width: int, now: float
) -> list[Row]:
    """The rows; without details only what the list says. `kin` are its children, and its parent where that is there."""
    if isinstance(run, UnreadableRun):
        return wrap(run.problem, width, "warn")
    rows = [*_ending_rows(run, details, width), *_facts(run, details, kin, width, now)]
    if details is not None:
        rows += _program_rows(details, width)
    return rows


def _facts(run: RunSummary, details: RunDetails | None, kin: Sequence[RunSummary], width: int, now: float) -> list[Row]:
    facts: list[tuple[str, Row]] = []
    if details is not None:
        facts = [
            ("Plan", _plan_row(details)),
            ("Metrics", _metrics_row(details)),
            ("Progress", _progress_row(run, details, now)),
            ("Checkpoints", _checkpoints_row(details.checkpoints, now)),
        ]
    if run.note:
        facts.insert(0, ("Note", printable(((run.note, "text"),))))
    facts += [("Parent", _parent_row(run, kin)), ("Children", _children_row(run, kin))]
    return [row for label, fact in facts if fact for row in _wrapped(label, fact, width)]


def _wrapped(label: str, fact: Row, width: int) -> list[Row]:
    """A labelled fact. What does not fit into one line goes on below, between its parts; a long part between words."""
    room = width - _LABEL
    rows: list[Row] = []
    for part in _parts(fact):
        if rows and width_of(rows[-1]) + len(_DOT[0]) + width_of(part) <= room:
            rows[-1] = (*rows[-1], _DOT, *part)
        elif width_of(part) <= room:
            rows.append(part)
        else:
            text, token = "".join(text for text, _ in part), part[-1][1]
            rows += wrap(text, room, token)
    return [labelled(label if at == 0 else "", row, width, _LABEL) for at, row in enumerate(rows)]


def _parts(fact: Row) -> list[Row]:
    parts: list[list[Span]] = [[]]
    for span in fact:
        if span == _DOT:
            parts.append([])
        else:
            parts[-1].append(span)
    return [tuple(part) for part in parts]


def _ending_rows(run: RunSummary, details: RunDetails | None, width: int) -> list[Row]:
    """How it ended, where the state alone does not tell."""
    diagnosis = details.diagnosis if details is not None else ""
    token = {RunState.FAILED: "bad", RunState.KILLED: "bad", RunState.LOST: "warn"}.get(run.state, "dim")
    if diagnosis:
        return _wrapped("Failure", ((diagnosis, f"{token}+b"), *_dim_detail(run.detail)), width)[:2]
    detail = printable(((run.detail, token),))
    return _wrapped("Ended" if run.is_over else "Now", detail, width)[:2] if run.detail else []


def _dim_detail(detail: str) -> Row:
    return (_DOT, *printable(((detail, "dim"),))) if detail else EMPTY


def _plan_row(details: RunDetails) -> Row:
    plan = {name: value for name, value in details.snapshot.record.plan.items() if value is not None}
    if not plan:
        return (("as the script says", "dim"),)
    return dots(*(printable(((f"{name} ", "dim"), (_short(name, value), "accent"))) for name, value in plan.items()))


def _short(name: str, value: object) -> str:
    """A path by its end alone: the whole of it would be all that is read."""
    words = value_words(name, value)
    return Path(words).name if "/" in words and len(words) > 24 else words


def _metrics_row(details: RunDetails) -> Row:
    run = details.snapshot
    told = [quantity for quantity in quantities(run.metrics) if quantity.name != RATES]
    names = [member.name for quantity in told for member in leading(quantity)]
    found = [metric_summary(name, run.metrics[name], run.trainer) for name in names]
    parts: list[Row] = []
    for metric in found[:_MOST_METRICS]:
        if metric.last is None:
            continue
        part: Row = ((f"{metric.name} ", "dim"), (number(metric.last), "text"))
        if metric.best is not None and metric.best != metric.last:
            at = f" at {count(metric.best_step)}" if metric.best_step is not None else ""
            part = (*part, (f", best {number(metric.best)}{at}", "dim"))
        parts.append(printable(part))
    return dots(*parts)


def _progress_row(run: RunSummary, details: RunDetails, now: float) -> Row:
    progress, took = details.snapshot.progress, took_s(run, now)
    parts: list[str | Row] = []
    if progress is not None:
        of = f"/{progress.max_epochs}" if progress.max_epochs is not None and progress.max_epochs > 0 else ""
        parts = [f"epoch {progress.epoch}{of}", f"step {count(progress.global_step)}"]
    if took is not None:
        parts.append(f"took {short_duration(took)}" if run.is_over else f"for {short_duration(took)}")
    if details.snapshot.attempt:
        parts.append(((f"restarted {plural(details.snapshot.attempt, 'time')}", "warn"),))
    ranks = len(details.snapshot.ranks)
    if ranks > 1:
        parts.append(plural(ranks, "rank"))
    if run.size is not None:
        parts.append(f"{size(run.size)} on disk")
    return dots(*parts)


def _checkpoints_row(checkpoints: Sequence[Checkpoint], now: float) -> Row:
    if not checkpoints:
        return (("none", "dim"),)
    good = [one for one in checkpoints if one.is_complete and one.problem is None]
    parts: list[str | Row] = [str(len(good))]
    if len(good) < len(checkpoints):
        parts.append(((f"{len(checkpoints) - len(good)} unusable", "warn"),))
    if good:
        newest = good[0]
        step = f"newest at step {count(newest.global_step)}" if newest.global_step is not None else "newest"
        when = f" {ago(now - newest.saved_at)}" if newest.saved_at is not None else ""
        parts.append(((f"{step}{when}", "dim"),))
        if newest.size is not None:
            parts.append(((f"{size(newest.size)} each", "dim"),))
    return dots(*parts)


def _parent_row(run: RunSummary, kin: Sequence[RunSummary]) -> Row:
    if run.parent is None:
        return EMPTY
    parent = next((one for one in kin if one.id == run.parent), None)
    words: Row = (
        ((title_of(parent), "text"),) if parent is not None else ((f"{run.parent}, which no longer exists", "dim"),)
    )
    return printable(((f"{CHILD} ", "accent"), *words))


def _children_row(run: RunSummary, kin: Sequence[RunSummary]) -> Row:
    children = [one for one in kin if one.parent == run.id]
    more: Row = ((f"and {len(children) - _MOST_KIN} more", "dim"),) if len(children) > _MOST_KIN else EMPTY
    return dots(*(title_of(child) for child in children[:_MOST_KIN]), more) if children else EMPTY


def _program_rows(details: RunDetails, width: int) -> list[Row]:
    program = details.snapshot.record.program
    rows = _wrapped("Program", printable(((shlex.join(program.given), "dim"),)), width)
    rows += _wrapped("Folder", printable(((program.folder, "dim"),)), width)
    return [*rows, *_wrapped("Directory", printable(((details.snapshot.directory, "dim"),)), width)]


def curve_rows(details: RunDetails | None, width: int, height: int) -> list[Row]:
    """The curves of the quantity that matters most, named above; exactly so high, or none."""
    run = details.snapshot if details is not None else None
    known = quantities(run.metrics) if run is not None else []
    if run is None or not known or height < 4:
        return []
    settings = CurveSettings()
    curves = [one.curve for one in drawn_curves(run, known[0], settings)]
    options = ChartStyle(False, None, None, marks_of(run, known[0], settings), settings.unit)
    if layout_of(curves, width, height - 1, options) is None:
        return []
    rows = chart(curves, width, height - 1, options)
    name: Row = ((known[0].name, "text+b"),)
    found = [join([name, *value_parts(run, known[0])], width, ("   ", "text")), *rows]
    return [*found, *[EMPTY] * (height - len(found))][:height]
