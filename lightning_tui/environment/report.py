"""An environment as a JSON-ready mapping, for tools, and as plain lines, for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from lightning_tui.environment.findings import gib
from lightning_tui.environment.model import Environment, Finding, Host, Place, Platform, Software
from lightning_tui.gpus import GpuSample

_LABEL_WIDTH = 12


def as_json(environment: Environment) -> dict[str, Any]:
    """Build what `doctor --json` prints: what is unknown is `None`, sizes are in bytes."""
    platform = environment.platform
    evidence = [{"name": item.name, "value": item.value} for item in platform.evidence]
    if platform.reason:
        evidence.append({"name": "detection failed", "value": platform.reason})
    gpus = [msgspec.structs.replace(gpu, processes=None) for gpu in environment.gpus]
    return {
        "platform": {
            "family": platform.family,
            "kind": platform.kind,
            "evidence": evidence,
            "facets": list(platform.facets),
        },
        "host": _plain(environment.host),
        "gpus": _plain(gpus),
        "software": _plain(environment.software),
        "storage": _plain(environment.storage),
        "findings": _plain(environment.findings),
    }


def as_text(environment: Environment) -> list[str]:
    """Write it down line by line, labels aligned, findings with their remedies last."""
    rows = [
        *_platform_rows(environment.platform),
        *_host_rows(environment.host),
        *_gpu_rows(environment),
        *_software_rows(environment.software),
        *_storage_rows(environment),
    ]
    lines = [f"{label:<{_LABEL_WIDTH}}{text}".rstrip() for label, text in rows]
    return [*lines, "", *_finding_lines(environment.findings)]


def _plain(facts: object) -> Any:
    return msgspec.json.decode(msgspec.json.encode(facts))


_Row = tuple[str, str]


def _platform_rows(platform: Platform) -> Iterator[_Row]:
    others = [facet for facet in platform.facets if facet != platform.kind]
    yield "Platform", _joined(platform.label, ", ".join(others), platform.family)
    if platform.reason:
        yield "", platform.reason
    for evidence in platform.evidence:
        yield "", f"{evidence.name}: {evidence.value}"


def _host_rows(host: Host) -> Iterator[_Row]:
    yield "Host", _joined(host.hostname, host.system, host.kernel)
    online = f"of {host.cpus_online}" if host.cpus_online and host.cpus_online != host.cpus else None
    quota = f"quota {host.cpu_quota:g}" if host.cpu_quota else None
    yield "CPUs", _joined(" ".join(filter(None, (_text(host.cpus), online))), quota)
    limited = "limited by the control group" if host.memory_is_limited else None
    yield "Memory", _joined(f"{_size(host.memory_available)} available of {_size(host.memory_total)}", limited)
    yield "/dev/shm", f"{_size(host.shared_memory_free)} free of {_size(host.shared_memory_total)}"


def _gpu_rows(environment: Environment) -> Iterator[_Row]:
    if not environment.gpus:
        yield "GPUs", f"none ({environment.gpus_missing or 'none found'})"
    for position, gpu in enumerate(environment.gpus):
        yield "" if position else "GPUs", f"{gpu.index} {_gpu_text(gpu)}"
    if environment.visible_devices is not None:
        yield "", f"CUDA_VISIBLE_DEVICES={environment.visible_devices}"


def _gpu_text(gpu: GpuSample) -> str:
    capability = f"compute {gpu.compute_capability}" if gpu.compute_capability else None
    return _joined(gpu.name or "GPU", _size(gpu.memory_total), capability, gpu.error)


def _software_rows(software: Software | None) -> Iterator[_Row]:
    if software is None:
        return
    yield "Python", _joined(software.python, software.interpreter)
    if software.error:
        yield "", f"could not be asked: {software.error}"
        return
    yield "torch", _joined(software.torch or "not installed", software.torch_build)
    others = ("lightning", "pytorch_lightning", "deepspeed", "bitsandbytes", "transformer_engine", "torchmetrics")
    installed = [f"{name.replace('_', '-')} {getattr(software, name)}" for name in others if getattr(software, name)]
    yield "Packages", _joined(*installed) if installed else "no Lightning"


def _storage_rows(environment: Environment) -> Iterator[_Row]:
    storage = environment.storage
    for label, place in (("Runs", storage.runs_home), ("Folder", storage.folder), ("Persistent", storage.persistent)):
        if place is not None:
            yield label, _place_text(place)


def _place_text(place: Place) -> str:
    if place.error:
        return f"{place.path} · {place.error}"
    medium = f"{place.medium} ({place.file_system})" if place.medium else None
    space = f"{_size(place.free)} free of {_size(place.total)}"
    return _joined(place.path, space, medium, "not writable" if place.writable is False else None)


def _finding_lines(findings: tuple[Finding, ...]) -> Iterator[str]:
    if not findings:
        yield "No problems found."
    for finding in findings:
        yield f"{finding.severity}: {finding.title}"
        yield f"    {finding.detail}"
        yield f"    -> {finding.remedy}"


def _joined(*parts: str | None) -> str:
    return " · ".join(part for part in parts if part) or "N/A"


def _text(value: int | None) -> str:
    return "N/A" if value is None else str(value)


def _size(value: int | None) -> str:
    return "N/A" if value is None else gib(value)
