"""What does the driver say of itself, and how do the GPUs reach each other? Asked once; it takes milliseconds."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, NamedTuple

import msgspec

from lightning_tui.gpus.nvml import answer, as_text

_P2P_READ = 0
"""The binding's own constant of this name is a tuple by mistake."""

_PATHS = {0: "PIX", 10: "PIX", 20: "PXB", 30: "PHB", 40: "NODE", 50: "SYS"}
"""NVML's topology levels in the words of `nvidia-smi topo -m`."""


class GpuLink(msgspec.Struct, frozen=True):
    """How two GPUs reach each other; they are named by NVML index."""

    first: int
    second: int
    kind: str
    """As `nvidia-smi topo -m` writes it: `NV4` (that many NVLinks, also through a switch), else the way over PCIe:
    `PIX` (one bridge at most), `PXB` (several bridges), `PHB` (host bridge), `NODE` (within a NUMA node), `SYS`
    (between NUMA nodes)."""
    peer_access: bool | None = None
    """Whether each may read the other's memory; `None` where the driver does not tell."""


class DriverFacts(msgspec.Struct, frozen=True):
    """What is true for as long as the driver is loaded."""

    driver: str | None = None
    """Version of the driver, "550.54.15"."""
    cuda: str | None = None
    """The highest CUDA version that the driver supports, "12.4"."""
    links: tuple[GpuLink, ...] = ()
    """One for each pair of GPUs that NVML tells of, first < second; empty with fewer than two GPUs."""


def query_driver(nvml: ModuleType, handles: Mapping[int, Any]) -> DriverFacts:
    """Ask for the facts; `handles` are the GPUs by index. Raises nothing that NVML raises."""
    return DriverFacts(
        driver=answer(nvml, nvml.nvmlSystemGetDriverVersion),
        cuda=_cuda_version(nvml),
        links=tuple(_links(nvml, handles)) if len(handles) > 1 else (),
    )


def _cuda_version(nvml: ModuleType) -> str | None:
    number = answer(nvml, nvml.nvmlSystemGetCudaDriverVersion_v2)
    if number is None:
        number = answer(nvml, nvml.nvmlSystemGetCudaDriverVersion)
    return None if number is None else f"{number // 1000}.{number % 1000 // 10}"


class _NvLinks(NamedTuple):
    """Active NVLinks of one GPU."""

    to_gpus: Sequence[str]
    """Bus id of the GPU at the other end of each link that leads straight to one."""
    to_switches: int


def _links(nvml: ModuleType, handles: Mapping[int, Any]) -> list[GpuLink]:
    nvlinks = {index: _nvlinks(nvml, handle) for index, handle in handles.items()}
    buses = {index: _bus_id(nvml, handle) for index, handle in handles.items()}
    found = []
    for first, second in itertools.combinations(sorted(handles), 2):
        pair = handles[first], handles[second]
        count = _count_nvlinks(nvlinks[first], nvlinks[second], buses[second])
        kind = f"NV{count}" if count else _path(nvml, pair)
        status = answer(nvml, nvml.nvmlDeviceGetP2PStatus, *pair, _P2P_READ)
        if kind is not None:
            found.append(GpuLink(first, second, kind, None if status is None else status == nvml.NVML_P2P_STATUS_OK))
    return found


def _count_nvlinks(one: _NvLinks, other: _NvLinks, bus_of_other: str | None) -> int:
    """Links straight between two GPUs, else those through switches, of which the GPU with fewer sets the number."""
    return one.to_gpus.count(bus_of_other or "") or min(one.to_switches, other.to_switches)


def _nvlinks(nvml: ModuleType, handle: Any) -> _NvLinks:
    to_gpus, to_switches = [], 0
    for link in range(nvml.NVML_NVLINK_MAX_LINKS):
        state = answer(nvml, nvml.nvmlDeviceGetNvLinkState, handle, link)
        if state is None:  # this GPU has no more links
            break
        if not state:
            continue
        kind = answer(nvml, nvml.nvmlDeviceGetNvLinkRemoteDeviceType, handle, link)
        if kind == nvml.NVML_NVLINK_DEVICE_TYPE_SWITCH:
            to_switches += 1
            continue
        remote = answer(nvml, nvml.nvmlDeviceGetNvLinkRemotePciInfo, handle, link)
        if remote is not None:
            to_gpus.append(as_text(remote.busId))
    return _NvLinks(to_gpus, to_switches)


def _path(nvml: ModuleType, pair: tuple[Any, Any]) -> str | None:
    level = answer(nvml, nvml.nvmlDeviceGetTopologyCommonAncestor, *pair)
    return None if level is None else _PATHS.get(level)


def _bus_id(nvml: ModuleType, handle: Any) -> str | None:
    info = answer(nvml, nvml.nvmlDeviceGetPciInfo, handle)
    return None if info is None else as_text(info.busId)
