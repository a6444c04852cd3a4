"""All that the panes draw, as one frozen value: what is known of machine, plan and run at one moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from lightning_tui.ui.drawing.rows import EMPTY, Row, crop, width_of
from lightning_tui.ui.keys import PANES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lightning_tui.environment import Environment, Software
    from lightning_tui.plan.model import Plan
    from lightning_tui.record import GpuSample, HostSample, NodeView, RunSnapshot
    from lightning_tui.services.cases import Judgement
    from lightning_tui.services.findings import Findings
    from lightning_tui.services.machine import Hardware
    from lightning_tui.services.programs import ProgramChoice
    from lightning_tui.services.runs import Origin


class Notice(msgspec.Struct, frozen=True):
    """A sentence that stands in the state line for a while."""

    text: str
    token: str
    until: float | None
    """Clock time at which it goes; `None`: when the next one comes."""


_LEAST_TITLE = 16
"""Narrower than this a title of advice says nothing."""


class AdviceLine(NamedTuple):
    """A title that may be cut, and what stands behind it whole."""

    title: Row
    tail: Row

    def row(self, width: int) -> Row:
        """The line in so many cells."""
        room = width - width_of(self.tail)
        if room < 0:
            return EMPTY
        title = crop(self.title, room) if room >= min(_LEAST_TITLE, width_of(self.title)) else EMPTY
        return (*title, *self.tail)


@dataclass(frozen=True)
class View:
    """One moment. Panes are drawn from this, their size and nothing else."""

    now: float
    plan: Plan
    judgement: Judgement | None = None
    """What is known of the plan without starting it; `None` until it was asked."""
    program: ProgramChoice | None = None
    run: RunSnapshot | None = None
    origin: Origin | None = None
    """Of which run the next one is a child; `None`: it is started on its own."""
    is_opening: bool = False
    """A run is being started or opened, and nothing of it has been read yet."""
    environment: Environment | None = None
    software: Software | None = None
    hardware: Hardware | None = None
    notice: Notice | None = None
    keys: Mapping[str, str] | None = None
    """How the keys are written, by their ids."""
    findings: Findings | None = None
    """What is known of the run's trouble; of an earlier one until the present one is explained."""
    readonly: bool = False
    advice: AdviceLine | None = None
    """What there is to advise on the run."""
    runs_home: str = ""
    runs_home_reason: str = ""

    @property
    def state(self) -> str | None:
        """The run's state in a word, `None` where there is no run."""
        return None if self.run is None else self.run.state.value

    @property
    def is_active(self) -> bool:
        """Whether a run may still be going on: it can be stopped, and another one must wait."""
        if self.run is None:
            return self.is_opening
        return not self.run.is_over

    @property
    def label(self) -> str | None:
        """Name of the program: the run's, else the chosen one's."""
        if self.run is not None:
            return self.run.record.program.label
        return self.program.label if self.program is not None else None

    @property
    def gpus(self) -> tuple[GpuSample, ...]:
        """GPUs as the live run sees them, else as they are now."""
        return self._reporter.gpus if self._reporter is not None else ()

    @property
    def gpus_missing(self) -> str | None:
        """Why there are no GPU readings."""
        return self._reporter.gpus_missing if self._reporter is not None else None

    @property
    def host(self) -> HostSample | None:
        """Host as the live run sees it, else as it is now."""
        return self._reporter.host if self._reporter is not None else None

    @property
    def nodes(self) -> tuple[NodeView, ...]:
        """Hardware of all nodes of the live run, else of this machine as it is now."""
        if self._reporter is None:
            return ()
        from lightning_tui.record import NodeView, RunSnapshot  # not for the first frame: then nothing is known

        if isinstance(self._reporter, RunSnapshot):
            return self._reporter.nodes
        gpus, missing, host = self._reporter
        return (NodeView(name="", host=host, gpus=gpus, gpus_missing=missing),)

    @property
    def _reporter(self) -> RunSnapshot | Hardware | None:
        """Who tells of the hardware: the run while it lives and does so, else a look at this machine."""
        reports = self.run is not None and self.is_active and self.state != "lost" and self.run.host is not None
        return self.run if reports else self.hardware

    @property
    def can_fix(self) -> bool:
        """Whether a change of the plan may help the run that has ended badly."""
        if self.findings is None or self.readonly:
            return False
        from lightning_tui.services.findings import findings_for, is_told

        found = findings_for(self.run, self.findings)
        is_over = self.run is not None and self.run.is_over
        return is_over and found is not None and bool(found.fixes) and is_told(self.run, found)

    def key(self, key_id: str) -> str:
        """How a key is written."""
        return (self.keys or {}).get(key_id, key_id)

    def pane_key(self, pane: str) -> str:
        """How the key that jumps to a pane is written."""
        return self.key(f"pane-{list(PANES).index(pane) + 1}")

    def elapsed_s(self) -> float | None:
        """How long the run has taken so far, or took."""
        return self.run.took_s(self.now) if self.run is not None else None
