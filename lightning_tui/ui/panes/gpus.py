"""The GPUs pane: memory by holder, load, heat and power of each GPU; CPU and memory of the host where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lightning_tui.ui.panes.base import Pane
from lightning_tui.ui.rows import Row, Span, crop, first_fitting, join, width_of
from lightning_tui.ui.view import View
from lightning_tui.ui.words import gpu_name
from lightning_tui.words import GIB, gib, number, plural

if TYPE_CHECKING:
    from lightning_tui.record import GpuSample, HostSample, RankView

OURS: Span = ("█", "accent")
RESERVED: Span = ("▓", "reserved")
OTHERS: Span = ("▒", "warn")
FREE: Span = ("·", "faint")


class GpusPane(Pane):
    """One row a GPU, or the host."""

    name_of_pane = "gpus"

    def title_text(self) -> str:
        return "Host" if self.view.host is not None and not self.view.gpus else super().title_text()

    def body(self, width: int, height: int) -> list[Row]:
        view = self.view
        if view.gpus:
            return gpu_rows(view, width, height)
        if view.host is None:
            return [(("looking at the hardware …", "dim"),)]
        return host_rows(view.host, view.gpus_missing, view.is_active, width)

    def summary(self, width: int) -> Row:
        return self.body(width, 1)[0]

    def facts(self, width: int) -> Row:
        if self.view.gpus:
            return legend((("allocated", OURS), ("reserved", RESERVED), ("others", OTHERS), ("free", FREE)), width)
        if self.view.host is None:
            return ()
        return legend((("this run", OURS), ("others", OTHERS), ("free", FREE)), width)


def wanted_rows(view: View) -> int:
    """Rows that the pane wants; at least as many as the host needs, so that a first reading moves nothing."""
    return max(4, len(view.gpus))


def legend(parts: Sequence[tuple[str, Span]], width: int) -> Row:
    """What the glyphs of a gauge mean."""
    return join([(span, (f" {word}", "dim")) for word, span in parts], width)


# ------------------------------------------------------------------------------------------------------------- GPUs


def gpu_rows(view: View, width: int, height: int) -> list[Row]:
    """One row for each GPU; where they are more than the rows, a grid of short gauges."""
    ranks = view.run.ranks if view.run is not None and view.is_active else ()
    if len(view.gpus) <= height or height < 1:
        return [gpu_row(gpu, ranks, width, view.state == "training") for gpu in view.gpus]
    columns = -(-len(view.gpus) // height)
    cell = max(12, (width - 2 * (columns - 1)) // columns)
    cells = [_short_gauge(gpu, ranks, cell) for gpu in view.gpus]
    return [join(cells[y::height], width) for y in range(height)]


def gpu_row(gpu: GpuSample, ranks: Sequence[RankView], width: int, is_training: bool) -> Row:
    """A GPU in one row: gauge, memory, load, temperature, power, ranks; the last ones give way where it is narrow."""
    name = crop(((f"{gpu_name(gpu.name or 'GPU'):<5}", "text"),), 14)
    head: Row = ((f"{gpu.index:>2} ", "dim"), *name, (" ", "text"))
    if gpu.error is not None:
        return (*head, ("✖ ", "bad"), *crop(((gpu.error, "bad"),), width - width_of(head) - 2))
    mine = [rank for rank in ranks if rank.device_uuid is not None and rank.device_uuid == gpu.uuid]
    tails = [
        (_memory(gpu), _load(gpu, is_training), _heat(gpu), _power(gpu), _ranks(mine)),
        (_memory(gpu), _load(gpu, is_training), _heat(gpu), _ranks(mine)),
        (_memory(gpu), _load(gpu, is_training), _ranks(mine)),
        (_memory(gpu), _load(gpu, is_training)),
        (_memory(gpu),),
    ]
    room = width - width_of(head) - min(24, max(8, width // 5))
    tail = first_fitting([_spaced(cells) for cells in tails], room)
    bar = min(40, width - width_of(head) - width_of(tail))
    return (*head, *gauge(segments(gpu, mine), gpu.memory_total, bar), *tail)


def segments(gpu: GpuSample, mine: Sequence[RankView]) -> list[tuple[Span, int]]:
    """Memory by holder, in bytes: what the run's tensors take, what its allocator keeps besides, and the others."""
    used = gpu.memory_used or 0
    allocated = sum(rank.allocated or 0 for rank in mine)
    reserved = max(allocated, sum(rank.reserved or 0 for rank in mine))
    if not mine and gpu.processes:
        reserved = sum(process.memory or 0 for process in gpu.processes if process.ours)
    allocated, reserved = min(allocated, used), min(reserved, used)
    return [(OURS, allocated), (RESERVED, reserved - allocated), (OTHERS, used - reserved)]


def gauge(parts: Sequence[tuple[Span, float]], total: float | None, width: int) -> Row:
    """A bar of segments that differ by glyph and by colour; what is left is free."""
    if not total or width < 1:
        return (("N/A".center(width)[: max(0, width)], "dim"),)
    row: list[Span] = []
    filled, summed = 0, 0.0
    for (glyph, token), amount in parts:
        summed += amount
        until = min(width, round(summed / total * width))
        if until > filled:
            row.append((glyph * (until - filled), token))
            filled = until
    if filled < width:
        row.append((FREE[0] * (width - filled), FREE[1]))
    return tuple(row)


def _spaced(cells: Sequence[Row]) -> Row:
    return tuple(span for cell in cells for span in (("  ", "text"), *cell))


def _memory(gpu: GpuSample) -> Row:
    if gpu.memory_used is None or gpu.memory_total is None:
        return (("      N/A memory", "dim"),)
    return ((f"{gib(gpu.memory_used):>5}", "text"), (f"/{gib(gpu.memory_total)} GiB", "dim"))


def _load(gpu: GpuSample, is_training: bool) -> Row:
    if gpu.utilization is None:
        return (("  N/A", "dim"),)
    token = "text"
    if is_training:
        token = "good" if gpu.utilization >= 80 else "warn" if gpu.utilization < 50 else "text"
    return ((f"{gpu.utilization:3.0f} %", token),)


def _heat(gpu: GpuSample) -> Row:
    if gpu.temperature is None:
        return (("  N/A", "dim"),)
    token = "bad" if gpu.temperature >= 92 else "warn" if gpu.temperature >= 85 else "text"
    return ((f"{gpu.temperature:2.0f} °C", token),)


def _power(gpu: GpuSample) -> Row:
    return ((f"{gpu.power:4.0f} W", "dim"),) if gpu.power is not None else (("   N/A", "dim"),)


def _ranks(mine: Sequence[RankView]) -> Row:
    if not mine:
        return (("   ", "dim"),)
    text = f"r{mine[0].rank}" if len(mine) == 1 else f"r{mine[0].rank}–{mine[-1].rank}"
    return ((f"{text:<3}", "dim"),)


def _short_gauge(gpu: GpuSample, ranks: Sequence[RankView], width: int) -> Row:
    mine = [rank for rank in ranks if rank.device_uuid is not None and rank.device_uuid == gpu.uuid]
    load = "✖ lost" if gpu.error else " N/A" if gpu.utilization is None else f"{gpu.utilization:3.0f}%"
    token = "bad" if gpu.error else "text"
    bar = gauge(segments(gpu, mine), gpu.memory_total, max(4, width - 4 - len(load)))
    row: Row = ((f"{gpu.index:>2} ", "dim"), *bar, (f" {load}", token))
    return (*row, (" " * (width - width_of(row)), "text"))


# ------------------------------------------------------------------------------------------------------------- host


def host_rows(host: HostSample, why_no_gpu: str | None, is_active: bool, width: int) -> list[Row]:
    """CPU and memory of the host, the run's share in the gauge as on a GPU, and why there are no GPUs."""
    bar = min(40, max(8, width - 50))
    reason = why_no_gpu or "no readings"
    return [
        _cpu_row(host, is_active, bar, width),
        _memory_row(host, is_active, bar, width),
        *([(("Run    ", "dim"), *_run_words(host))] if is_active and host.run_processes else []),
        (("GPUs   ", "dim"), *crop(((f"none: {reason}", "dim"),), width - 7)),
    ]


def _cpu_row(host: HostSample, is_active: bool, bar: int, width: int) -> Row:
    if host.cpu_percent is None:
        return (("CPU    ", "dim"), ("measuring …", "dim"))
    cores = host.cpu_count or 1
    ours = min(host.cpu_percent, (host.run_cpu_percent or 0) / cores) if is_active else 0.0
    return (
        ("CPU    ", "dim"),
        *gauge([(OURS, ours), (OTHERS, host.cpu_percent - ours)], 100, bar),
        *join(
            [((f"  {host.cpu_percent:5.0f} %", "text"),), ((f"of {plural(cores, 'CPU')}", "dim"),)],
            width - bar - 7,
            (" ", "text"),
        ),
    )


def _memory_row(host: HostSample, is_active: bool, bar: int, width: int) -> Row:
    if host.memory_used is None or host.memory_total is None:
        return (("Memory ", "dim"), ("N/A", "dim"))
    ours = min(host.memory_used, host.run_memory or 0) if is_active else 0
    return (
        ("Memory ", "dim"),
        *gauge([(OURS, ours), (OTHERS, host.memory_used - ours)], host.memory_total, bar),
        *crop(((f"  {gib(host.memory_used):>5}", "text"), (f"/{gib(host.memory_total)} GiB", "dim")), width - bar - 7),
    )


def _run_words(host: HostSample) -> Row:
    parts: list[Row] = []
    if host.run_cpu_percent is not None:
        parts.append(((number(round(host.run_cpu_percent) / 100), "text"), (" CPUs busy", "dim")))
    if host.run_memory is not None:
        parts.append(((f"{host.run_memory / GIB:.1f}", "text"), (" GiB", "dim")))
    if host.run_processes is not None:
        parts.append(((plural(host.run_processes, "process", "processes"), "dim"),))
    return join(parts, 60, (" · ", "dim"))
