"""CPU and memory of hosts without GPUs, drawn as a GPU is; and why there are none."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from lightning_tui.text.units import GIB, gib, number, plural
from lightning_tui.ui.drawing.canvas import labelled
from lightning_tui.ui.drawing.gauges import OTHERS, OURS, gauge
from lightning_tui.ui.drawing.rows import Row, crop, fill, join
from lightning_tui.ui.gpus.gpuset import short_names

if TYPE_CHECKING:
    from lightning_tui.record import HostSample, NodeView

LABEL = 7
_labelled = partial(labelled, label_width=LABEL)


def nodes_rows(nodes: Sequence[NodeView], is_active: bool, width: int) -> list[Row]:
    """A header, and one row for each node."""
    shorts = short_names([node.name for node in nodes])
    label = max(map(len, shorts.values()), default=0)
    rows = [_node_row(node, shorts.get(node.name, node.name), label, is_active, width) for node in nodes]
    cpu = label + 1 + _node_bar(width, label) + 11
    head: Row = ((f"{' ' * (label + 1)}CPU".ljust(cpu) + "Memory", "faint"),)
    reasons = sorted({node.gpus_missing for node in nodes if node.gpus_missing})
    return [crop(head, width), *rows, *(crop(((f"no GPUs: {reason}", "dim"),), width) for reason in reasons)]


def _node_bar(width: int, label: int) -> int:
    return min(40, max(4, (width - label - 1 - 32) // 2))


def _node_row(node: NodeView, name: str, label: int, is_active: bool, width: int) -> Row:
    head: Row = ((f"{name:<{label}} ", "dim"),)
    if node.host is None:
        return (*head, ("N/A", "dim"))
    bar = _node_bar(width, label)
    cpu = _cpu(node.host, is_active, bar, is_short=True)
    memory = _memory(node.host, is_active, bar)
    return crop((*head, *fill(cpu, bar + 9), ("  ", "text"), *memory), width)


def host_rows(host: HostSample, why_no_gpu: str | None, is_active: bool, width: int) -> list[Row]:
    """CPU and memory of one host, the run's share in the gauge as on a GPU, and why there are no GPUs."""
    bar = min(40, max(8, width - 50))
    run: list[Row] = [_labelled("Run", _run_words(host), width)] if is_active and host.run_processes else []
    return [
        _labelled("CPU", _cpu(host, is_active, bar), width),
        _labelled("Memory", _memory(host, is_active, bar), width),
        *run,
        _labelled("GPUs", ((why_no_gpu or "no readings", "dim"),), width),
    ]


def _cpu(host: HostSample, is_active: bool, bar: int, *, is_short: bool = False) -> Row:
    if host.cpu_percent is None:
        return (("measuring …", "dim"),)
    cores = host.cpu_count or 1
    ours = min(host.cpu_percent, (host.run_cpu_percent or 0) / cores) if is_active else 0.0
    row = gauge([(OURS, ours), (OTHERS, host.cpu_percent - ours)], 100, bar)
    row = (*row, (f"  {host.cpu_percent:5.0f} %", "text"))
    return row if is_short else (*row, (f" of {plural(cores, 'CPU')}", "dim"))


def _memory(host: HostSample, is_active: bool, bar: int) -> Row:
    if host.memory_used is None or host.memory_total is None:
        return (("N/A", "dim"),)
    ours = min(host.memory_used, host.run_memory or 0) if is_active else 0
    row = gauge([(OURS, ours), (OTHERS, host.memory_used - ours)], host.memory_total, bar)
    digits = max(5, len(gib(host.memory_total)))
    return (*row, (f"  {gib(host.memory_used):>{digits}}", "text"), (f"/{gib(host.memory_total)} GiB", "dim"))


def _run_words(host: HostSample) -> Row:
    parts: list[Row] = []
    if host.run_cpu_percent is not None:
        parts.append(((number(round(host.run_cpu_percent) / 100), "text"), (" CPUs busy", "dim")))
    if host.run_memory is not None:
        parts.append(((f"{host.run_memory / GIB:.1f}", "text"), (" GiB", "dim")))
    if host.run_processes is not None:
        parts.append(((plural(host.run_processes, "process", "processes"), "dim"),))
    return join(parts, 60, (" · ", "dim"))
