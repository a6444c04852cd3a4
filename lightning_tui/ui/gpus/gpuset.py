"""Which GPUs are there on all nodes, which ranks use them, and where is trouble? One frozen value, made of a view."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from lightning_tui.text.units import count, plural
from lightning_tui.ui.drawing.gauges import MemoryParts, memory_parts
from lightning_tui.ui.drawing.rows import Row, join
from lightning_tui.ui.words import gpu_name

if TYPE_CHECKING:
    from lightning_tui.record import GpuKey, GpuSample, RankView
    from lightning_tui.ui.view import View

HOT, VERY_HOT = 85.0, 92.0
"""°C: data-centre GPUs slow down from about 90 on."""
FULL = 0.9
"""Share of the memory from which the fullest GPU is worth a word of its own."""
SLOW = 1.1
"""How much longer than the median a rank's steps take when it is called slow."""
SLOWED = 7
"""Severity of a clock that is held down."""
HARMLESS = frozenset({"power cap"})
"""Reasons for a lower clock that are no trouble: a GPU that trains well runs into its power cap."""

_MEMORY_IN_NAME = re.compile(r"[ -]\d+GB\b.*")


class GpuProblem(NamedTuple):
    """Something about a GPU that a person should look at."""

    severity: int
    mark: str
    text: str
    token: str


class GpuView(msgspec.Struct, frozen=True, dict=True):
    """One GPU: its reading, the ranks on it, and its memory by holder."""

    node: str
    label: str
    """Short name within the run: `3`, with several nodes `n07:3`, and `0:2` for a MIG slice."""
    gpu: GpuSample
    ranks: tuple[int, ...]
    memory: MemoryParts
    is_slowest: bool = False

    @property
    def key(self) -> GpuKey:
        """What it is known by."""
        return self.node, self.gpu.index, self.gpu.mig

    @property
    def name(self) -> str:
        """The model without its memory, or the profile of a MIG slice."""
        name = gpu_name(self.gpu.name or "GPU")
        return name.rpartition("MIG ")[2] if self.gpu.mig is not None else _MEMORY_IN_NAME.sub("", name)

    @property
    def is_lost(self) -> bool:
        """Whether the driver has given it up; one whose driver does not answer may come back."""
        return self.gpu.error is not None and self.gpu.stale_s is None

    @cached_property
    def troubles(self) -> tuple[GpuProblem, ...]:
        """What is wrong with it, the worst first."""
        return tuple(sorted(_troubles(self.gpu, self.is_slowest), key=lambda trouble: -trouble.severity))

    @property
    def worst(self) -> GpuProblem | None:
        """The worst of it."""
        return self.troubles[0] if self.troubles else None


@dataclass(frozen=True)
class GpuSet:
    """All GPUs of the run, or of this machine, by node."""

    gpus: tuple[GpuView, ...] = ()
    nodes: tuple[str, ...] = ()
    """Names of the nodes that have GPUs, in order."""
    without: tuple[str, ...] = ()
    """Names of the nodes that have none."""
    slowest: int | None = None
    """The rank whose steps take longest, where that is not noise."""
    made_of: tuple[object, ...] = field(default=(), repr=False, compare=False)

    def place_of(self, key: GpuKey | None) -> int:
        """Place of the GPU, 0 where it is not there."""
        return next((place for place, gpu in enumerate(self.gpus) if gpu.key == key), 0)


def gpu_set(view: View, before: GpuSet | None = None) -> GpuSet:
    """All GPUs that the view knows; `before` itself where nothing that is drawn of them has changed."""
    nodes = view.nodes
    ranks = view.run.ranks if view.run is not None and view.is_active else ()
    slowest = _slowest(ranks)
    readings = tuple(node.gpus for node in nodes)
    facts = tuple((r.rank, r.device_uuid, r.allocated, r.reserved, r.peak_allocated) for r in ranks if r.device_uuid)
    made_of = (tuple(node.name for node in nodes), readings, facts, slowest, view.is_active)
    if before is not None and before.made_of == made_of:
        return before
    by_uuid: dict[str, list[RankView]] = {}
    for rank in ranks:
        if rank.device_uuid is not None:
            by_uuid.setdefault(rank.device_uuid, []).append(rank)
    shorts = short_names([node.name for node in nodes if node.gpus])
    gpus = []
    for node in nodes:
        for gpu in node.gpus:
            users = by_uuid.get(gpu.uuid or "", ())
            memory = memory_parts(gpu, users, has_run=view.is_active)
            gpus.append(_gpu_view(node.name, shorts.get(node.name, ""), gpu, users, memory, slowest))
    named = tuple(node.name for node in nodes if node.gpus)
    without = tuple(node.name for node in nodes if not node.gpus)
    return GpuSet(tuple(gpus), named, without, slowest, made_of)


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Names of nodes without their domain, and at most 12 cells wide: the end tells them apart, else their number.

    None for one node.
    """
    if len(names) < 2:
        return {}
    shorts = [name.partition(".")[0] for name in names]
    if len(set(shorts)) < len(shorts):
        shorts = list(names)
    shorts = [short if len(short) <= 12 else f"…{short[-11:]}" for short in shorts]
    if len(set(shorts)) < len(shorts):
        shorts = [f"node {number}" for number in range(len(names))]
    return dict(zip(names, shorts, strict=True))


def _gpu_view(
    node: str, short: str, gpu: GpuSample, ranks: Sequence[RankView], memory: MemoryParts, slowest: int | None
) -> GpuView:
    index = str(gpu.index) if gpu.mig is None else f"{gpu.index}:{gpu.mig}"
    numbers = tuple(rank.rank for rank in ranks)
    label = f"{short}:{index}" if short else index
    return GpuView(node, label, gpu, numbers, memory, slowest in numbers)


def _slowest(ranks: Sequence[RankView]) -> int | None:
    known = [(rank.step_time_s, rank.rank) for rank in ranks if rank.step_time_s]
    if len(known) < 2:
        return None
    longest, number = max(known)
    return number if longest > SLOW * statistics.median(time for time, _ in known) else None


def _troubles(gpu: GpuSample, is_slowest: bool) -> Iterator[GpuProblem]:
    if gpu.error is not None:
        yield GpuProblem(9, "✖", gpu.error, "bad")
        return
    if gpu.ecc_errors:
        yield GpuProblem(8, "✖", plural(gpu.ecc_errors, "ECC error"), "bad")
    reasons = [reason for reason in gpu.throttled or () if reason not in HARMLESS]
    if reasons:
        yield GpuProblem(SLOWED, "▲", f"slowed: {', '.join(reasons)}", "warn")
    if gpu.temperature is not None and gpu.temperature >= HOT:
        yield GpuProblem(6, "▲", "hot", "bad" if gpu.temperature >= VERY_HOT else "warn")
    if gpu.stale_s is not None:
        yield GpuProblem(5, "?", f"{gpu.stale_s:.0f} s old", "dim")
    if is_slowest:
        yield GpuProblem(4, "▲", "slowest rank", "warn")


# ---------------------------------------------------------------------------------------------------------- in a line


def counts(gpus: GpuSet) -> list[Row]:
    """How many are lost, slowed, old; empty where all is well."""
    troubled = [gpu for gpu in gpus.gpus if gpu.troubles]
    found: tuple[tuple[int, str, str], ...] = (
        (sum(gpu.is_lost for gpu in troubled), "lost", "bad"),
        (sum(bool(gpu.gpu.ecc_errors) for gpu in troubled), "with ECC errors", "bad"),
        (sum(any(trouble.severity == SLOWED for trouble in gpu.troubles) for gpu in troubled), "slowed", "warn"),
        (sum(gpu.gpu.stale_s is not None for gpu in troubled), "silent", "dim"),
        (len(gpus.without), "without GPUs", "dim"),
    )
    rows: list[Row] = [((f"{count(number)} {word}", token),) for number, word, token in found if number]
    return rows


def extremes(gpus: GpuSet) -> list[Row]:
    """The fullest, the slowest rank, the hottest."""
    parts: list[Row] = []
    fullest = max(gpus.gpus, key=lambda gpu: gpu.memory.share or -1.0, default=None)
    if fullest is not None and (share := fullest.memory.share) is not None:
        parts.append(_of("fullest", f"{share * 100:.0f} %", "warn" if share >= FULL else "text", fullest))
    parts += slowest(gpus)
    hottest = max(gpus.gpus, key=lambda gpu: gpu.gpu.temperature or -1.0, default=None)
    if hottest is not None and (heat := hottest.gpu.temperature) is not None:
        parts.append(_of("hottest", f"{heat:.0f} °C", heat_token(heat), hottest))
    return parts


def slowest(gpus: GpuSet) -> list[Row]:
    """The slowest rank, where there is one."""
    return [] if gpus.slowest is None else [(("slowest rank ", "dim"), (str(gpus.slowest), "warn"))]


def summary(gpus: GpuSet, width: int) -> Row:
    """All GPUs in one line, what matters most first."""
    whole = len({(gpu.node, gpu.gpu.index) for gpu in gpus.gpus})
    slices = sum(gpu.gpu.mig is not None for gpu in gpus.gpus)
    totals: list[Row] = [((plural(whole, "GPU"), "text"),), *([((plural(slices, "slice"), "text"),)] if slices else [])]
    return join([*totals, *counts(gpus), *extremes(gpus)], width, (" · ", "dim"))


def heat_token(heat: float | None) -> str:
    """Colour of a temperature in °C."""
    return "dim" if heat is None else "bad" if heat >= VERY_HOT else "warn" if heat >= HOT else "text"


def _of(word: str, value: str, token: str, gpu: GpuView) -> Row:
    where = gpu.label if ":" in gpu.label else f"GPU {gpu.label}"
    return ((f"{word} ", "dim"), (value, token), (f" {where}", "dim"))
