"""What do the supervisors' samples add up to? Each node's newest reading, and the last ten minutes of each GPU."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import msgspec

from lightning_tui.record.events import Sampled
from lightning_tui.record.samples import GpuSample, HostSample, fields_of

POINTS = 600
SECONDS = 1.0

GpuKey: TypeAlias = tuple[str, int, int | None]
"""Name of the node, NVML index of the GPU, number of the MIG slice (`None`: the whole GPU)."""


class NodeView(msgspec.Struct, frozen=True, kw_only=True):
    """One node's hardware, as its supervisor last saw it."""

    name: str
    """The host's name; where two supervisors share a host, the node's number stands behind it."""
    host: HostSample | None
    gpus: tuple[GpuSample, ...]
    gpus_missing: str | None
    """Why there are no GPU readings, in words."""


class GpuHistory(msgspec.Struct, frozen=True, kw_only=True):
    """The last readings of one GPU, oldest first, at most `POINTS`; `None` where there was no fresh one."""

    utilization: tuple[float | None, ...]
    """Percent."""
    memory_used: tuple[int | None, ...]
    """Bytes; as many points as `utilization` has."""
    seconds: float = SECONDS
    """Distance between two points."""


class HardwareView(NamedTuple):
    """What the samples of all nodes add up to."""

    nodes: tuple[NodeView, ...]
    """By node number."""
    histories: Mapping[GpuKey, GpuHistory]


class HardwareHistory:
    """The fold of all nodes' samples; frozen once a sample, and not once a snapshot."""

    def __init__(self) -> None:
        self._nodes: dict[int, _NodeHistory] = {}
        self._view: HardwareView | None = None

    def add_sample(self, number: int, sampled: Sampled) -> None:
        self._changing(number).add(sampled)

    def name_host(self, number: int, hostname: str) -> None:
        """Add on which host a node's supervisor runs."""
        self._changing(number).hostname = hostname

    def node_of_host(self) -> dict[str, int]:
        """The number of the node on each host that is known by name; of several there the first one's."""
        nodes = sorted(self._nodes.items(), reverse=True)
        return {node.hostname: number for number, node in nodes if node.hostname is not None}

    def _changing(self, number: int) -> _NodeHistory:
        self._view = None
        return self._nodes.setdefault(number, _NodeHistory(number))

    def view(self) -> HardwareView:
        """Freeze what is known; the same object as long as no sample comes."""
        if self._view is None:
            ordered = [self._nodes[number] for number in sorted(self._nodes)]
            named = list(zip(ordered, _name_nodes(ordered), strict=True))
            histories = {key: history for node, name in named for key, history in node.histories(name).items()}
            self._view = HardwareView(tuple(node.view(name) for node, name in named), histories)
        return self._view


class _NodeHistory:
    """The fold of one node's samples; bounded however long the run is."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.hostname: str | None = None
        self._host: HostSample | None = None
        self._missing: str | None = None
        self._gpus: dict[tuple[int, int | None], dict[str, Any]] = {}
        self._tracks: dict[tuple[int, int | None], _Track] = {}

    def add(self, sampled: Sampled) -> None:
        self._host, self._missing = sampled.host, sampled.gpus_missing
        self._gpus = {change.key: self._gpus.get(change.key, {}) | fields_of(change) for change in sampled.gpus}
        for key, known in self._gpus.items():
            track = self._tracks.get(key)
            if track is None:
                track = self._tracks[key] = _Track(sampled.time)
            is_fresh = known.get("stale_s") is None
            track.add(
                sampled.time,
                known.get("utilization") if is_fresh else None,
                known.get("memory_used") if is_fresh else None,
            )

    def view(self, name: str) -> NodeView:
        gpus = tuple(GpuSample(index=index, mig=mig, **known) for (index, mig), known in self._gpus.items())
        return NodeView(name=name, host=self._host, gpus=gpus, gpus_missing=self._missing)

    def histories(self, name: str) -> dict[GpuKey, GpuHistory]:
        """Freeze the last minutes of all GPUs."""
        return {(name, *key): track.history() for key, track in self._tracks.items()}


class _Track:
    """The last points of one GPU on a grid that begins with its first sample: late samples leave gaps."""

    def __init__(self, began: float) -> None:
        self._began = began
        self._slot = -1
        self._utilization: deque[float | None] = deque(maxlen=POINTS)
        self._memory: deque[int | None] = deque(maxlen=POINTS)

    def add(self, time: float, utilization: float | None, memory: int | None) -> None:
        ahead = round((time - self._began) / SECONDS) - self._slot
        if ahead < -1:  # somebody set the node's clock back
            self._began, ahead = time - (self._slot + 1) * SECONDS, 1
        if ahead < 1:
            self._utilization.pop()
            self._memory.pop()
            ahead = 1
            self._slot -= 1
        for _ in range(min(ahead - 1, POINTS)):
            self._utilization.append(None)
            self._memory.append(None)
        self._utilization.append(utilization)
        self._memory.append(memory)
        self._slot += ahead

    def history(self) -> GpuHistory:
        return GpuHistory(utilization=tuple(self._utilization), memory_used=tuple(self._memory))


def _name_nodes(nodes: list[_NodeHistory]) -> list[str]:
    """Name each node by its host, and by its number too where that is not enough, or all that is known."""
    hosts = [node.hostname for node in nodes]
    return [
        f"node {node.number}" if host is None else host if hosts.count(host) == 1 else f"{host} ({node.number})"
        for node, host in zip(nodes, hosts, strict=True)
    ]
