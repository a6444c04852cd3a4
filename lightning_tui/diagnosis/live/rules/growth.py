"""Does a run need more memory with every epoch?"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from lightning_tui.diagnosis.live.model import Advice, Weight
from lightning_tui.diagnosis.live.rule_input import RuleInput
from lightning_tui.diagnosis.live.words import percent
from lightning_tui.diagnosis.model import Suggestion
from lightning_tui.text.units import size

LAPS = 5
"""Epochs compared, the first of a run left out. Each must be above the one before: noise does that once in 120."""
LEAST_SHARE = 0.05
HOST_LEAST, GPU_LEAST = 128 << 20, 64 << 20
"""Growth over those epochs, in shares and bytes: less is caches and allocators that fill up."""
EVENNESS = 0.25
"""The smallest rise, in shares of the mean one: what levels off is no leak."""


class Growth(NamedTuple):
    """A use of memory that rose with every epoch, in bytes."""

    first: int
    last: int
    per_epoch: int


def growth_of(peaks: Sequence[int], least: int) -> Growth | None:
    """Whether the last epochs' peaks rise steadily: see `LAPS`, `LEAST_SHARE`, `EVENNESS`."""
    last = list(peaks)[-LAPS:]
    if len(last) < LAPS:
        return None
    rises = [later - earlier for earlier, later in itertools.pairwise(last)]
    grown = last[-1] - last[0]
    mean = grown / len(rises)
    if grown < max(least, LEAST_SHARE * last[0]) or min(rises) < EVENNESS * mean:
        return None
    return Growth(last[0], last[-1], int(mean))


def host_memory(moment: RuleInput) -> Iterator[Advice]:
    """Main memory of the run's processes rises from epoch to epoch."""
    for node in moment.run.nodes:
        laps = moment.seen.host_laps.get(node.name)
        growth = growth_of(laps.done, HOST_LEAST) if laps is not None else None
        if growth is None or node.host is None:
            continue
        host = node.host
        free = None if host.memory_total is None or host.memory_used is None else host.memory_total - host.memory_used
        where = f" on {node.name}" if len(moment.run.nodes) > 1 else ""
        yield Advice(
            id=f"memory-growth:{node.name}",
            severity=_severity(moment, growth, free),
            title=f"Main memory grows by {size(growth.per_epoch)} an epoch{where}: {size(growth.first)} → "
            f"{size(growth.last)}",
            cause=_cause(moment, growth, free, "main memory"),
            suggestions=(
                Suggestion(text="Keep no tensors from step to step: append loss.item() or loss.detach(), not loss."),
                Suggestion(
                    text="A dataset that holds Python lists is copied page by page into each worker: use numpy or "
                    "pyarrow, or fewer workers."
                ),
            ),
        )


def gpu_memory(moment: RuleInput) -> Iterator[Advice]:
    """Memory allocated on a rank's GPU, at the beginning of a step, rises from epoch to epoch."""
    grown = {rank: growth_of(laps.done, GPU_LEAST) for rank, laps in moment.seen.rank_laps.items()}
    worst = max((rank for rank, growth in grown.items() if growth), key=lambda rank: grown[rank] or (), default=None)
    growth = grown[worst] if worst is not None else None
    if worst is None or growth is None:
        return
    view = next((view for view in moment.run.ranks if view.rank == worst), None)
    total = view.device_total if view is not None else None
    free = None if total is None else total - growth.last
    yield Advice(
        id="gpu-memory-growth",
        severity=_severity(moment, growth, free),
        rank=worst,
        title=f"GPU memory of rank {worst} grows by {size(growth.per_epoch)} an epoch: {size(growth.first)} → "
        f"{size(growth.last)}",
        cause=_cause(moment, growth, free, "the GPU"),
        suggestions=(
            Suggestion(
                text="Something keeps tensors from step to step: append loss.detach() or loss.item(), not loss."
            ),
            Suggestion(text="Metrics that keep all predictions (AUROC, mAP): compute them on the CPU, or reset them."),
        ),
    )


def epochs_left(moment: RuleInput) -> int | None:
    """Epochs that the fit still has to go, where it has a limit."""
    progress = moment.run.progress
    if progress is None or progress.max_epochs is None or progress.max_epochs <= 0:
        return None
    return max(0, progress.max_epochs - progress.epoch)


def _cause(moment: RuleInput, growth: Growth, free: int | None, of: str) -> str:
    said = (
        f"Its peak was higher in each of the last {LAPS} epochs, by {percent(growth.last / growth.first - 1)} in all."
    )
    if free is None or growth.per_epoch <= 0:
        return said
    epochs = max(0, free // growth.per_epoch)
    return f"{said} At this rate {of} ({size(max(0, free))} left) is full in about {epochs} epochs."


def _severity(moment: RuleInput, growth: Growth, free: int | None) -> Weight:
    left = epochs_left(moment)
    if free is None or left is None:
        return "warning"
    return "warning" if free < growth.per_epoch * left else "hint"


GROWTH_RULES = (host_memory, gpu_memory)
