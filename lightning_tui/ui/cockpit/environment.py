"""The Environment pane: what this machine is, with evidence, what is installed, where runs lie, and what is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from lightning_tui.text.units import gib, plural, size
from lightning_tui.ui.drawing.canvas import labelled
from lightning_tui.ui.drawing.rows import EMPTY, Row, Span, crop, dots, ends, join, wrap
from lightning_tui.ui.pane import Pane
from lightning_tui.ui.view import View
from lightning_tui.ui.words import gpu_name

if TYPE_CHECKING:
    from lightning_tui.environment import Environment, Finding, Software, StoragePlace
    from lightning_tui.record import GpuSample

_MARKS = {"error": ("✖", "bad"), "warning": ("▲", "warn"), "info": ("·", "dim")}
_WAITING: Row = (("…", "faint"),)
_NOTHING_WRONG: Row = (("✔", "good"), (" no problems found", "dim"))
_DETAIL_LABELS = 13
_WIDE = 60
"""Columns from which on everything is told."""


class EnvironmentPane(Pane):
    """Facts, in the same places from the first frame on."""

    name_of_pane = "environment"
    draws = ("environment", "software", "nodes", "runs_home", "runs_home_reason", "keys")

    def body(self, width: int, height: int) -> list[Row]:
        return detail_rows(self.view, width) if width > _WIDE else overview_rows(self.view, width, height)

    def facts(self, width: int) -> Row:
        if not self.has_focus or self.size.width > _WIDE:
            return EMPTY
        return ((self.view.key("open"), "accent"), (" all facts, and what to do", "dim"))

    def summary(self, width: int) -> Row:
        return summary_row(self.view, width)


def overview_rows(view: View, width: int, height: int) -> list[Row]:
    """The short form, for a narrow column."""
    environment, software = view.environment, view.software
    rows = [
        labelled("Platform", _platform(environment), width),
        labelled("", _evidence(environment), width),
        labelled("GPUs", _gpus(view), width),
        labelled("Host", _host(view), width),
        labelled("Software", _torch(software), width),
        labelled("", _lightning(software), width),
        labelled("Storage", _storage(environment), width),
        labelled("Runs home", _home(view, width - 11), width),
    ]
    return [*rows, *_finding_rows(environment, width, max(1, height - len(rows)))]


def detail_rows(view: View, width: int) -> list[Row]:
    """Everything that is known, for the zoomed pane: what is wrong and what to do, all facts, what is good to know."""
    environment = view.environment
    if environment is None:
        return overview_rows(view, width, 99)
    wrong = _wrong(environment)
    notes = [finding for finding in environment.findings if finding.severity == "info"]
    return [
        *(row for finding in wrong for row in (*_whole_finding(finding, width), EMPTY)),
        *([] if wrong else [_NOTHING_WRONG, EMPTY]),
        *_fact_rows(environment, view.runs_home_reason, width),
        *(row for finding in notes for row in (EMPTY, *_whole_finding(finding, width))),
    ]


def _fact_rows(environment: Environment, runs_home_reason: str, width: int) -> list[Row]:
    """The facts that `doctor` prints, wrapped beside their labels."""
    from lightning_tui.environment import fact_rows  # here, since the first frame is drawn before there is any

    rows: list[Row] = []
    for label, text in fact_rows(environment, runs_home_reason):
        lines = wrap(text, width - _DETAIL_LABELS) or [EMPTY]
        rows.append(((f"{label:<{_DETAIL_LABELS}}", "dim"), *_dim_dots(lines[0])))
        rows += [((" " * _DETAIL_LABELS, "text"), *_dim_dots(line)) for line in lines[1:]]
    return rows


def _dim_dots(row: Row) -> Row:
    """The row's first fact bright, and what follows it dim, as everywhere on the screen."""
    text = "".join(part for part, _ in row)
    head, dot, rest = text.partition(" · ")
    return ((head, "text"), (f"{dot}{rest}", "dim")) if dot else ((text, "text"),)


def summary_row(view: View, width: int) -> Row:
    """The machine in one line, and whether something is wrong with it."""
    environment = view.environment
    if environment is None:
        return (("inspecting the machine …", "dim"),)
    hardware = _gpus(view) if any(node.gpus for node in view.nodes) else _host(view)
    label: Row = ((environment.platform.label, "text"),)
    parts = [label, _dimmed(hardware), _finding_count(environment), _storage(environment)]
    return join(parts, width, (" · ", "dim"))


def _platform(environment: Environment | None) -> Row:
    return _WAITING if environment is None else ((environment.platform.label, "text"),)


def _evidence(environment: Environment | None) -> Row:
    if environment is None:
        return EMPTY
    platform = environment.platform
    if platform.evidence:
        return ((platform.evidence[0].name, "dim"),)
    return ((platform.reason or " · ".join(platform.facets), "dim"),)


def _gpus(view: View) -> Row:
    if view.host is None:
        return _WAITING
    gpus = _whole(gpu for node in view.nodes for gpu in node.gpus)
    if not gpus:
        has_devices = view.environment is not None and view.environment.host.gpu_devices
        return (("no readings", "warn"),) if has_devices else (("none", "text"),)
    lost = sum(gpu.name is None and gpu.error is not None for gpu in gpus)
    names = [gpu_name(gpu.name or "GPU") for gpu in gpus if gpu.name is not None or gpu.error is None]
    row: Row = ((" + ".join(f"{names.count(name)} × {name}" for name in dict.fromkeys(names)), "text"),)
    totals = {gpu.memory_total for gpu in gpus} - {None}
    if len(totals) == 1 and not any(re.search(r"\d ?GB\b", name) for name in names):
        row = (*row, (f" {gib(totals.pop() or 0)} GiB", "dim"))
    nodes = sum(bool(node.gpus) for node in view.nodes)
    where: Row = ((f"{nodes} nodes", "dim"),) if nodes > 1 else _seen(view.environment)
    return dots(row if names else EMPTY, ((f"{lost} lost", "bad"),) if lost else EMPTY, where)


def _whole(gpus: Iterable[GpuSample]) -> list[GpuSample]:
    """GPUs as they stick in the machine: slices stand besides the GPU that they are cut from."""
    return [gpu for gpu in gpus if gpu.mig is None]


def _seen(environment: Environment | None) -> Row:
    """How many GPUs programs are let see on this machine, where that is not all of them."""
    if environment is None or environment.visible is None:
        return EMPTY
    seen = sum(device.is_seen for device in environment.visible)
    return ((f"{seen} seen", "warn"),) if seen < len(_whole(environment.gpus)) else EMPTY


def _host(view: View) -> Row:
    host = view.host
    if host is None:
        return _WAITING
    memory = f"{gib(host.memory_total)} GiB" if host.memory_total is not None else ""
    return dots(plural(host.cpu_count, "CPU") if host.cpu_count else "", memory)


def _torch(software: Software | None) -> Row:
    if software is None:
        return _WAITING
    if software.error is not None:
        return ((software.error, "warn"),)
    torch: Row = (("no torch", "warn"),)
    if software.torch:
        torch = ((f"torch {software.torch.partition('+')[0]}", "text"), (f" {software.torch_build or ''}", "dim"))
    return torch


def _lightning(software: Software | None) -> Row:
    if software is None or software.error is not None:
        return EMPTY
    if software.lightning:
        return ((f"lightning {software.lightning}", "text"),)
    if software.pytorch_lightning:
        return ((f"pytorch-lightning {software.pytorch_lightning}", "text"),)
    return (("no lightning", "warn"),)


def _storage(environment: Environment | None) -> Row:
    """Room for runs, and what kind of storage it is: that it is kept matters more than its file system."""
    if environment is None:
        return _WAITING
    place = environment.storage.runs_home
    if place.free is None:
        return (("N/A", "dim"),)
    kind = "persistent" if _is_persistent(environment) else _medium(place)
    return dots(((size(place.free), "text"), (" free", "dim")), ((kind, "dim"),) if kind else EMPTY)


def _is_persistent(environment: Environment) -> bool:
    storage = environment.storage
    return storage.persistent is not None and Path(storage.runs_home.path).is_relative_to(storage.persistent.path)


def _medium(place: StoragePlace) -> str:
    kind = place.medium if place.medium not in (None, "local") else place.file_system
    return kind or ""


def _home(view: View, width: int) -> Row:
    if not view.runs_home:
        return EMPTY
    home = str(Path.home())
    path = f"~{view.runs_home[len(home) :]}" if view.runs_home.startswith(home + "/") else view.runs_home
    return ((path if len(path) <= width else f"…{path[-(width - 1) :]}", "dim"),)


def _finding_rows(environment: Environment | None, width: int, height: int) -> list[Row]:
    """What is wrong, as far as there is room; what is only good to know is counted."""
    if environment is None:
        return []
    wrong = _wrong(environment)
    if not wrong:
        notes = len(environment.findings)
        return [ends(_NOTHING_WRONG, ((plural(notes, "note"), "dim"),) if notes else EMPTY, width)]
    if height < len(wrong):
        return [ends((_mark(wrong[0]), (wrong[0].title, "text")), ((f"+{len(wrong) - 1}", "dim"),), width, 1)]
    return [crop((_mark(finding), (finding.title, "text")), width) for finding in wrong]


def _wrong(environment: Environment) -> list[Finding]:
    return [finding for finding in environment.findings if finding.severity != "info"]


def _mark(finding: Finding) -> Span:
    glyph, token = _MARKS[finding.severity]
    return f"{glyph} ", token


def _finding_count(environment: Environment) -> Row:
    for severity in ("error", "warning"):
        amount = sum(finding.severity == severity for finding in environment.findings)
        if amount:
            glyph, token = _MARKS[severity]
            return ((f"{glyph} {plural(amount, severity)}", token),)
    return (("✔ no problems", "good"),)


def _whole_finding(finding: Finding, width: int) -> list[Row]:
    rows: list[Row] = [(_mark(finding), (finding.title, "text+b"))]
    rows += [(("  ", "text"), *row) for row in wrap(finding.detail, width - 2, "dim")]
    rows += [(("  ", "text"), *row) for row in wrap(finding.remedy, width - 2, "text")]
    return rows


def _dimmed(row: Row) -> Row:
    return tuple((text, "dim") for text, _ in row)
