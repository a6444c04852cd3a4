"""The Environment pane: what this machine is, with evidence, what is installed, where runs lie, and what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lightning_tui.ui.panes.base import Pane, labelled
from lightning_tui.ui.rows import EMPTY, Row, Span, crop, dots, ends, join, wrap
from lightning_tui.ui.view import View
from lightning_tui.ui.words import gpu_name
from lightning_tui.words import gib, plural, size

if TYPE_CHECKING:
    from lightning_tui.environment import Environment, Finding, Place, Software

_MARKS = {"error": ("✖", "bad"), "warning": ("▲", "warn"), "info": ("·", "dim")}
_WAITING: Row = (("…", "faint"),)


class EnvironmentPane(Pane):
    """Facts, in the same places from the first frame on."""

    name_of_pane = "environment"

    def body(self, width: int, height: int) -> list[Row]:
        return detail_rows(self.view, width) if width > 60 else overview_rows(self.view, width, height)

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
        labelled("Runs in", _home(view, width - 11), width),
    ]
    return [*rows, *_finding_rows(environment, width, max(1, height - len(rows)))]


def detail_rows(view: View, width: int) -> list[Row]:
    """Everything that is known, for the zoomed pane."""
    environment = view.environment
    if environment is None:
        return overview_rows(view, width, 99)
    platform = environment.platform
    rows = [labelled("Platform", _platform(environment), width)]
    rows += [labelled("", ((f"{fact.name}  ", "dim"), (fact.value, "text")), width) for fact in platform.evidence]
    if platform.facets:
        rows.append(labelled("Also", dots(*platform.facets), width))
    rows += [
        labelled("GPUs", _gpus(view), width),
        labelled("Host", dots(_host(view), environment.host.hostname or "", environment.host.system or ""), width),
        labelled("Software", _torch(view.software), width),
        labelled("", _lightning(view.software), width),
        labelled("Python", _python(view.software), width),
        *_places(environment, width),
        labelled("Runs in", dots(_home(view, width), ((view.runs_home_reason, "dim"),)), width),
    ]
    for finding in environment.findings:
        rows += [EMPTY, *_whole_finding(finding, width)]
    return rows


def summary_row(view: View, width: int) -> Row:
    """The machine in one line, and whether something is wrong with it."""
    environment = view.environment
    if environment is None:
        return (("looking at the machine …", "dim"),)
    hardware = _gpus(view) if view.gpus else _host(view)
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
    if not view.gpus:
        return (("none", "text"),)
    names = [gpu_name(gpu.name or "GPU") for gpu in view.gpus]
    row: Row = ((" + ".join(f"{names.count(name)} × {name}" for name in dict.fromkeys(names)), "text"),)
    total = view.gpus[0].memory_total
    return (*row, (f" {gib(total)} GiB", "dim")) if total is not None else row


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


def _python(software: Software | None) -> Row:
    if software is None:
        return _WAITING
    return dots(software.python or "N/A", ((software.interpreter, "dim"),))


def _storage(environment: Environment | None) -> Row:
    if environment is None:
        return _WAITING
    return _place_words(environment.storage.runs_home)


def _place_words(place: Place) -> Row:
    if place.error is not None or place.free is None:
        return (("N/A", "dim"),)
    kind = place.medium if place.medium not in (None, "local") else place.file_system
    return dots(((size(place.free), "text"), (" free", "dim")), ((kind or "", "dim"),) if kind else EMPTY)


def _places(environment: Environment, width: int) -> list[Row]:
    storage = environment.storage
    places = [("runs", storage.runs_home), ("this folder", storage.folder)]
    if storage.persistent is not None:
        places.append(("persistent", storage.persistent))
    return [
        labelled("Storage" if not number else "", (*_place_words(place), (f"  {name}  {place.path}", "dim")), width)
        for number, (name, place) in enumerate(places)
    ]


def _home(view: View, width: int) -> Row:
    if not view.runs_home:
        return EMPTY
    home = str(Path.home())
    path = f"~{view.runs_home[len(home) :]}" if view.runs_home.startswith(home + "/") else view.runs_home
    return ((path if len(path) <= width else f"…{path[-(width - 1) :]}", "dim"),)


def _finding_rows(environment: Environment | None, width: int, height: int) -> list[Row]:
    if environment is None:
        return []
    if not environment.findings:
        return [(("✔", "good"), (" nothing wrong found", "dim"))]
    if height < len(environment.findings):
        first = environment.findings[0]
        more = len(environment.findings) - 1
        mark = _mark(first)
        return [ends((mark, (first.title, "text")), ((f"+{more}", "dim"),) if more else EMPTY, width, 1)]
    return [crop((_mark(finding), (finding.title, "text")), width) for finding in environment.findings]


def _mark(finding: Finding) -> Span:
    glyph, token = _MARKS[finding.severity]
    return f"{glyph} ", token


def _finding_count(environment: Environment) -> Row:
    for severity in ("error", "warning"):
        amount = sum(finding.severity == severity for finding in environment.findings)
        if amount:
            glyph, token = _MARKS[severity]
            return ((f"{glyph} {plural(amount, severity)}", token),)
    return (("✔ nothing wrong", "good"),)


def _whole_finding(finding: Finding, width: int) -> list[Row]:
    rows: list[Row] = [(_mark(finding), (finding.title, "text+b"))]
    rows += [(("  ", "text"), *row) for row in wrap(finding.detail, width - 2, "dim")]
    rows += [(("  ", "text"), *row) for row in wrap(finding.remedy, width - 2, "text")]
    return rows


def _dimmed(row: Row) -> Row:
    return tuple((text, "dim") for text, _ in row)
