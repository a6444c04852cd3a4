"""An environment as a JSON-ready mapping, for tools, and as plain lines, for people."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from lightning_tui.environment.findings import GLYPHS
from lightning_tui.environment.model import (
    UNLIMITED,
    Environment,
    Finding,
    Host,
    Limit,
    Platform,
    Software,
    StoragePlace,
    VisibleDevice,
)
from lightning_tui.gpus import GpuLink, GpuSample
from lightning_tui.text.safe import harmless
from lightning_tui.text.units import NOT_KNOWN, count, plural, size

FactRow = tuple[str, str]

LABEL_WIDTH = 13
_NARROWEST = 40


def as_json(environment: Environment) -> dict[str, Any]:
    """Build what `doctor --json` prints: what is unknown is `None`, sizes are in bytes, a limit of -1 is none."""
    platform = environment.platform
    shown = (*platform.evidence, *platform.facet_evidence)
    evidence = [{"name": item.name, "value": item.value} for item in shown]
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
        "gpus_missing": environment.gpus_missing,
        "visible_devices": _plain(environment.visible),
        "driver": _plain(environment.driver),
        "session": _plain(environment.session),
        "slurm": _plain(environment.slurm),
        "nodes": environment.nodes,
        "software": _plain(environment.software),
        "storage": _plain(environment.storage),
        "findings": _plain(environment.findings),
    }


def as_text(environment: Environment, width: int | None = None, runs_home_reason: str = "") -> list[str]:
    """Write it down line by line, labels aligned, findings with their remedies last; wrapped where a width is given."""
    rows = fact_rows(environment, runs_home_reason)
    lines = [line for label, text in rows for line in _wrapped(text, width, f"{label:<{LABEL_WIDTH}}", LABEL_WIDTH)]
    return [harmless(line) for line in (*lines, "", *_finding_lines(environment.findings, width))]


def fact_rows(environment: Environment, runs_home_reason: str = "") -> list[FactRow]:
    """List all facts as labels and texts; a row without a label goes on with what the row above it is about."""
    return [
        *_platform_rows(environment.platform),
        *_host_rows(environment.host),
        *_gpu_rows(environment),
        *_software_rows(environment.software),
        *_storage_rows(environment, runs_home_reason),
        *_session_rows(environment),
    ]


def _plain(facts: object) -> Any:
    return msgspec.json.decode(msgspec.json.encode(facts))


def _wrapped(text: str, width: int | None, first: str, indent: int) -> list[str]:
    """Break a text between words, with `first` before it and blanks before what follows; paths stay whole."""
    if width is None:
        return [f"{first}{text}".rstrip()]
    return textwrap.wrap(
        text,
        max(width, _NARROWEST),
        initial_indent=first,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [first.rstrip()]


def _platform_rows(platform: Platform) -> Iterator[FactRow]:
    others = [facet for facet in platform.facets if facet != platform.kind]
    yield "Platform", _joined(platform.label, ", ".join(others), platform.family)
    if platform.reason:
        yield "", platform.reason
    for evidence in (*platform.evidence, *platform.facet_evidence):
        yield "", f"{evidence.name}: {evidence.value}"


def _host_rows(host: Host) -> Iterator[FactRow]:
    yield "Host", _joined(host.hostname, host.system, host.kernel)
    online = f"of {host.cpus_online}" if host.cpus_online and host.cpus_online != host.cpus else None
    quota = f"quota {host.cpu_quota:g}" if host.cpu_quota else None
    yield "CPUs", _joined(" ".join(filter(None, (_text(host.cpus), online))), quota)
    limited = "limited by the control group" if host.memory_is_limited else None
    yield "Memory", _joined(f"{_size(host.memory_available)} available of {_size(host.memory_total)}", limited)
    yield "/dev/shm", f"{_size(host.shared_memory_free)} free of {_size(host.shared_memory_total)}"
    if host.limits is not None:
        limits = host.limits
        yield (
            "Limits",
            _joined(
                _limit("open files", limits.open_files),
                _limit("processes", limits.processes),
                _limit("locked memory", limits.locked_memory, is_size=True),
                _limit("stack", limits.stack, is_size=True),
                _limit("core files", limits.core_size, is_size=True),
            ),
        )
    if host.infiniband:
        yield "InfiniBand", ", ".join(host.infiniband)


def _limit(name: str, limit: Limit | None, *, is_size: bool = False) -> str | None:
    return None if limit is None else f"{name} {_bound(limit.soft, is_size)}"


def _bound(value: int | None, is_size: bool) -> str:
    if value is None:
        return NOT_KNOWN
    if value == UNLIMITED:
        return "unlimited"
    return size(value) if is_size else count(value)


def _gpu_rows(environment: Environment) -> Iterator[FactRow]:
    if not environment.gpus:
        yield "GPUs", environment.gpus_missing or "none found"
    for position, gpu in enumerate(environment.gpus):
        yield "" if position else "GPUs", _gpu_text(gpu)
    driver = environment.driver
    if driver is not None:
        cuda = f"CUDA up to {driver.cuda}" if driver.cuda else None
        yield "Driver", _joined(driver.driver, cuda)
        yield from (("Links" if not place else "", text) for place, text in enumerate(_links(driver.links)))
    if environment.visible_devices is not None:
        yield "Visible", f"CUDA_VISIBLE_DEVICES={environment.visible_devices or '(empty: no GPU)'}"
    for device in environment.visible or ():
        yield "", _device_text(device)


def _gpu_text(gpu: GpuSample) -> str:
    capability = f"compute {gpu.compute_capability}" if gpu.compute_capability else None
    number = f"{gpu.index}" if gpu.mig is None else f"{gpu.index} MIG {gpu.mig}"
    return _joined(f"{number} {gpu.name or 'GPU'}", _size(gpu.memory_total), capability, gpu.error)


def _links(links: Iterable[GpuLink]) -> Iterator[str]:
    """One line for each kind of link, with the pairs that have it."""
    pairs: dict[str, list[str]] = {}
    for link in links:
        access = {None: "", True: " with peer access", False: " without peer access"}[link.peer_access]
        pairs.setdefault(f"{link.kind}{access}", []).append(f"{link.first}-{link.second}")
    for kind, found in pairs.items():
        yield f"{kind}: {' '.join(found)}"


def _device_text(device: VisibleDevice) -> str:
    slice_ = f" MIG {device.mig}" if device.mig is not None else ""
    target = f"GPU {device.gpu}{slice_}" if device.gpu is not None else "seen" if device.is_seen else "no GPU"
    return _joined(f"{device.entry or '(empty)'} -> {target}", device.note)


def _software_rows(software: Software | None) -> Iterator[FactRow]:
    if software is None:
        return
    yield "Python", _joined(software.python, software.interpreter)
    if software.error:
        yield "", f"could not be asked: {software.error}"
        return
    cuda = f"CUDA {software.torch_cuda}" if software.torch_cuda else software.torch_build
    yield "torch", _joined(software.torch or "not installed", cuda)
    if software.torch_architectures:
        yield "", f"code for {' '.join(software.torch_architectures)}"
    others = ("lightning", "pytorch_lightning", "deepspeed", "bitsandbytes", "transformer_engine", "torchmetrics")
    installed = [f"{name.replace('_', '-')} {getattr(software, name)}" for name in others if getattr(software, name)]
    yield "Packages", _joined(*installed) if installed else "no Lightning"


def _storage_rows(environment: Environment, runs_home_reason: str) -> Iterator[FactRow]:
    storage = environment.storage
    places = (
        ("Runs", storage.runs_home, runs_home_reason),
        ("Checkpoints", storage.checkpoints, ""),
        ("Folder", storage.folder, ""),
        ("Persistent", storage.persistent, storage.persistent_reason),
        ("Data", storage.data, ""),
        ("Artifacts", storage.artifacts, ""),
    )
    before = None
    for label, place, reason in places:
        if place is None:
            continue
        yield label, _place_text(place, before)
        before = place
        if reason:
            yield "", f"why: {reason}"


def _place_text(place: StoragePlace, before: StoragePlace | None) -> str:
    if place.error:
        is_told = before is not None and before.error == place.error
        return _joined(place.path, "the same" if is_told else place.error)
    marks = ["" if place.exists else "does not exist yet", "not writable" if place.writable is False else ""]
    if before is not None and _is_one_disk(place, before):
        return _joined(place.path, "same disk", *marks)
    medium = f"{place.medium} ({place.file_system})" if place.medium else None
    return _joined(place.path, f"{_size(place.free)} free of {_size(place.total)}", medium, *marks)


def _is_one_disk(place: StoragePlace, before: StoragePlace) -> bool:
    return before.error is None and place.mount is not None and (place.mount, place.free) == (before.mount, before.free)


def _session_rows(environment: Environment) -> Iterator[FactRow]:
    session, slurm = environment.session, environment.slurm
    if session.user or session.uid is not None:
        yield "User", _joined(session.user, f"uid {session.uid}" if session.uid is not None else None)
    if session.term is not None:
        yield "Terminal", session.term or "TERM is not set"
    if slurm is not None:
        started = "started by srun" if slurm.in_step else "not started by srun"
        tasks = f"{slurm.tasks} tasks" if slurm.tasks else None
        nodes = plural(slurm.nodes, "node") if slurm.nodes else None
        yield "Slurm", _joined(f"job {slurm.job_id or NOT_KNOWN}", slurm.job_name, nodes, tasks, started)
    elif environment.nodes is not None:
        yield "Nodes", str(environment.nodes)


def _finding_lines(findings: tuple[Finding, ...], width: int | None) -> Iterator[str]:
    if not findings:
        yield "✔ no problems found"
    for finding in findings:
        yield from _wrapped(f"{finding.severity}: {finding.title}", width, f"{GLYPHS[finding.severity]} ", 4)
        yield from _wrapped(finding.detail, width, "    ", 4)
        yield from _wrapped(finding.remedy, width, "    → ", 6)


def _joined(*parts: str | None) -> str:
    return " · ".join(part for part in parts if part) or NOT_KNOWN


def _text(value: int | None) -> str:
    return NOT_KNOWN if value is None else str(value)


def _size(value: int | None) -> str:
    return NOT_KNOWN if value is None else size(value)
