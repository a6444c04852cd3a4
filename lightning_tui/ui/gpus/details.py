"""All that is known of one GPU as rows: its memory and sensors, its last minutes, and who holds its memory."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from lightning_tui.record.series import Bins
from lightning_tui.text.units import GIB, count, gib, per_step, plural, short_duration
from lightning_tui.ui.drawing.canvas import labelled
from lightning_tui.ui.drawing.frame import Curve, Frame
from lightning_tui.ui.drawing.gauges import MEANINGS, REST, gauge
from lightning_tui.ui.drawing.plot import plot
from lightning_tui.ui.drawing.rows import EMPTY, Row, Span, crop, dots, ends, fill, join
from lightning_tui.ui.gpus.gpuset import GpuView, heat_token
from lightning_tui.ui.gpus.rows import load_token
from lightning_tui.ui.words import rank_state

if TYPE_CHECKING:
    from lightning_tui.record import GpuHistory, GpuProcess, RankView
    from lightning_tui.ui.view import View

LABEL = 12
TEXT, BESIDE = 68, 104
"""Cells of the text, and from which width on the curves stand beside it."""
LEAST_CHART, CHART, HIGHEST_CHART = 3, 4, 10
"""Rows of a curve."""
_NOTHING: Row = (("N/A", "dim"),)
_labelled = partial(labelled, label_width=LABEL)


def detail_rows(view: View, gpu: GpuView, width: int, height: int | None = None) -> list[Row]:
    """Everything that is known of one GPU, in rows of at most `width` cells.

    The curves of the last minutes stand beside the text where it is wide enough; else they take what is left of
    `height`, and go first where that is little.
    """
    run = view.run
    history = run.gpu_history.get(gpu.key) if run is not None and view.is_active else None
    if history is not None and width >= BESIDE:
        text = [*_text_rows(view, gpu, TEXT), EMPTY, *_identity_rows(view, gpu, TEXT)]
        return _with_curves_beside(text, history, gpu, width)
    text, identity = _text_rows(view, gpu, width), _identity_rows(view, gpu, width)
    room = CHART if height is None else min(HIGHEST_CHART, height - len(text) - len(identity) - 3)
    curves = _history_rows(history, gpu, width, room) if room >= LEAST_CHART else ()
    return [*text, *curves, EMPTY, *identity]


def _text_rows(view: View, gpu: GpuView, width: int) -> list[Row]:
    ranks = [rank for rank in view.run.ranks if rank.rank in gpu.ranks] if view.run is not None else []
    return [
        *_trouble_rows(gpu, width),
        *_memory_rows(gpu, width),
        EMPTY,
        *_sensor_rows(gpu, view.state == "training", width),
        *[row for rank in ranks for row in _rank_rows(rank, gpu, view.is_active, width)],
        *_process_rows(gpu.gpu.processes, width),
    ]


def _with_curves_beside(text: Sequence[Row], history: GpuHistory, gpu: GpuView, width: int) -> list[Row]:
    height = max(LEAST_CHART, (len(text) - 5) // 2)
    load, held = _curves(history, gpu, width - TEXT - 4, height)
    right = [*load, EMPTY, *held]
    rows = [*text, *[EMPTY] * (len(right) - len(text))]
    right += [EMPTY] * (len(rows) - len(right))
    return [(*fill(a, TEXT), ("    ", "text"), *b) for a, b in zip(rows, right, strict=True)]


def _trouble_rows(gpu: GpuView, width: int) -> list[Row]:
    troubles = [((f"{trouble.mark} {trouble.text}", trouble.token),) for trouble in gpu.troubles]
    return [crop(row, width) for row in troubles] + [EMPTY] * bool(troubles)


def _memory_rows(gpu: GpuView, width: int) -> list[Row]:
    """The gauge, and each part of it with its amount, its share and what it means."""
    memory = gpu.memory
    if memory.total is None and memory.used is None:
        return [_labelled("Memory", _NOTHING, width)]
    total = gib(memory.total) if memory.total is not None else "N/A"
    used = gib(memory.used) if memory.used is not None else "N/A"
    share = f"{memory.share * 100:.0f} %" if memory.share is not None else ""
    words: Row = (("  ", "text"), (used, "text+b"), (f" of {total} GiB used  {share}", "dim"))
    bar = gauge(memory.segments, memory.total, max(8, width - LABEL - 34), memory.peak)
    amounts = (memory.allocated, memory.cached, memory.rest, memory.others, memory.unknown, memory.free, memory.peak)
    rows = [_labelled("Memory", (*bar, *words), width)]
    for (span, word, meaning), amount in zip(MEANINGS, amounts, strict=True):
        if amount:
            if span == REST and not memory.allocated + memory.cached:
                word, meaning = "this run", "no rank has reported more"
            rows.append(crop(_part_row(span, word, meaning, amount, memory.total), width))
    return rows


def _part_row(span: Span, word: str, meaning: str, amount: int, total: int | None) -> Row:
    share = f"{amount / total * 100:4.0f} %" if total else ""
    numbers: Row = ((f"{amount / GIB:7.2f}", "text"), (" GiB", "dim"), (f"{share:>7}", "dim"))
    return ((" " * LABEL, "text"), span, (f" {word:<11}", "dim"), *numbers, (f"   {meaning}", "faint"))


def _sensor_rows(gpu: GpuView, is_training: bool, width: int) -> list[Row]:
    reading = gpu.gpu
    load = reading.utilization
    busy: Row = ((f"{load:.0f} %", load_token(load, is_training)),) if load is not None else _NOTHING
    heat = reading.temperature
    warm: Row = ((f"{heat:.0f} °C", heat_token(heat)),) if heat is not None else _NOTHING
    ecc = reading.ecc_errors
    errors: Row = _NOTHING if ecc is None else ((count(ecc), "bad" if ecc else "text"),)
    cells: tuple[tuple[str, Row], ...] = (
        ("Load", busy),
        ("Temperature", warm),
        ("Power", _of_limit(reading.power, reading.power_limit, "W")),
        ("Clock", _of_limit(reading.clock, reading.clock_limit, "MHz")),
        ("ECC errors", errors),
        ("Throttled by", _reasons(reading.throttled)),
    )
    half = width // 2
    rows = []
    for (left, left_value), (right, right_value) in zip(cells[::2], cells[1::2], strict=True):
        rows.append((*fill(_labelled(left, left_value, half), half), *_labelled(right, right_value, width - half)))
    return rows


def _of_limit(value: float | None, limit: float | None, unit: str) -> Row:
    if value is None:
        return _NOTHING
    of = f" of {limit:.0f}" if limit is not None else ""
    return ((f"{value:.0f}", "text"), (f"{of} {unit}", "dim"))


def _reasons(throttled: Sequence[str] | None) -> Row:
    if throttled is None:
        return _NOTHING
    return ((", ".join(throttled), "text"),) if throttled else (("nothing", "dim"),)


def _rank_rows(rank: RankView, gpu: GpuView, is_active: bool, width: int) -> Iterator[Row]:
    yield EMPTY
    token = "bad" if rank.state in ("failed", "gone") else "text"
    state: Row = ((rank_state(rank.state, is_active), token),)
    where: Row = ((f"{rank.device or '?'} · {rank.host} · pid {rank.pid}", "dim"),)
    yield _labelled(f"Rank {rank.rank}", join([state, where], width - LABEL), width)
    parts: list[Row] = []
    if rank.global_step is not None:
        parts.append((("step ", "dim"), (count(rank.global_step), "text")))
    if rank.step_time_s is not None:
        slow = "warn" if gpu.is_slowest else "text"
        parts.append(((per_step(rank.step_time_s), slow), ("/step", "dim")))
    if rank.data_wait_s is not None:
        parts.append(((per_step(rank.data_wait_s), "text"), (" data wait", "dim")))
    if parts:
        yield _labelled("", join(parts, width - LABEL, (" · ", "dim")), width)


def _process_rows(processes: Sequence[GpuProcess] | None, width: int) -> Iterator[Row]:
    yield EMPTY
    if not processes:
        said = "the driver does not list processes" if processes is None else "the driver lists none"
        yield _labelled("Processes", ((said, "dim"),), width)
        return
    ordered = sorted(processes, key=lambda process: -(process.memory or 0))
    for place, process in enumerate(ordered):
        amount = "N/A" if process.memory is None else f"{process.memory / GIB:.2f} GiB"
        left: Row = (
            (f"{process.pid:>8}  ", "text"),
            (f"{(process.owner or '?')[:12]:<12} ", "dim"),
            (process.name or "?", "text"),
            *(((("  this run"), "accent"),) if process.ours else ()),
        )
        value = ends(left, ((f"{amount:>12}", "text" if process.memory is not None else "dim"),), width - LABEL)
        yield _labelled("Processes" if place == 0 else "", value, width)


def _history_rows(history: GpuHistory | None, gpu: GpuView, width: int, height: int) -> Iterator[Row]:
    """Load and memory of the last minutes, side by side."""
    if history is None or len(history.utilization) < 2:
        return
    yield EMPTY
    half = (width - 3) // 2
    for left, right in zip(*_curves(history, gpu, half, height), strict=True):
        yield (*fill(left, half), ("   ", "text"), *right)


def _curves(history: GpuHistory, gpu: GpuView, width: int, height: int) -> tuple[list[Row], list[Row]]:
    """Load and memory of the last minutes."""
    span = short_duration((len(history.utilization) - 1) * history.seconds)
    memory = [None if value is None else value / GIB for value in history.memory_used]
    top = (gpu.memory.total or 0) / GIB or max((value for value in memory if value is not None), default=1.0)
    load = chart_rows("Load %", history.utilization, 100.0, width, "train", span, height)
    return load, chart_rows("Memory GiB", memory, top, width, "accent", span, height)


def chart_rows(
    title: str, values: Sequence[float | None], top: float, width: int, token: str, span: str, height: int
) -> list[Row]:
    """A curve from 0 to `top` with a title and the time it covers; nothing is drawn where nothing was known."""
    if not any(value is not None for value in values):
        return [((title, "dim"), ("  N/A", "dim")), *[EMPTY] * height]
    label = max(len(f"{top:.0f}"), 1)
    frame = Frame(0.0, max(1.0, len(values) - 1.0), 0.0, top)
    curves = [Curve(token, bins) for bins in _known_stretches(values)]
    lines = plot(curves, frame, max(4, width - label - 2), height)
    rows: list[Row] = [ends(((title, "dim"),), ((f"last {span}", "faint"),), width)]
    for y, line in enumerate(lines):
        number = f"{top:.0f}" if y == 0 else "0" if y == height - 1 else ""
        rows.append(((f"{number:>{label}} ", "faint"), ("┤" if number else "│", "border"), *line))
    return rows


def _known_stretches(values: Sequence[float | None]) -> Iterator[Bins]:
    """Stretches without a gap, so that no line is drawn over what is not known."""
    steps, known = array("d"), array("d")
    for step, value in enumerate((*values, None)):
        if value is not None and math.isfinite(value):
            steps.append(step)
            known.append(value)
        elif steps:
            yield Bins(steps, known, known, bytearray(len(steps)))
            steps, known = array("d"), array("d")


def _identity_rows(view: View, gpu: GpuView, width: int) -> list[Row]:
    """What it is, and of a GPU of this machine the driver: that of another node is not known."""
    reading = gpu.gpu
    compute = f"compute {reading.compute_capability}" if reading.compute_capability else ""
    ranks = plural(len(gpu.ranks), "rank") if len(gpu.ranks) > 1 else ""
    rows = [_labelled("Device", dots(((reading.uuid or "uuid N/A", "dim"),), compute, ranks), width)]
    environment = view.environment
    driver = environment.driver if environment is not None else None
    if environment is not None and driver is not None and _is_here(gpu.node, environment.host.hostname):
        cuda = f"CUDA up to {driver.cuda}" if driver.cuda else ""
        rows.append(_labelled("Driver", dots(((driver.driver or "N/A", "dim"),), cuda), width))
    return rows


def _is_here(node: str, hostname: str | None) -> bool:
    """Whether a node is this machine; where supervisors share a host, their number stands behind its name."""
    return not node or node.partition(" ")[0] == hostname
