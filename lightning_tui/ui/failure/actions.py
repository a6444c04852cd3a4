"""What is done while a run is in trouble: explain it, fix and relaunch it, go to its evidence, copy its report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lightning_tui.services.findings import Findings, Fix, Trouble, findings_for, is_told, trouble_of
from lightning_tui.ui.orders import ONLY_WATCHES
from lightning_tui.ui.threads import Action

if TYPE_CHECKING:
    from lightning_tui.record import RunDirectory, RunSnapshot
    from lightning_tui.ui.log.actions import LogActions
    from lightning_tui.ui.log.pane import LogPane
    from lightning_tui.ui.port import Port
    from lightning_tui.ui.services import Services

RELAUNCHED_S = 30.0
"""How long it is said of what a run is the child: longer than it takes to come to its fit."""
NO_TROUBLE = "there is no failure to fix"


class FailureActions:
    """Watches for trouble and carries out its keys. All of it runs on the event loop; slow work goes to threads."""

    def __init__(self, port: Port, pane: LogPane, log: LogActions, services: Services) -> None:
        self._port = port
        self._pane = pane
        self._log = log
        self._services = services
        self._asked: tuple[Trouble, bool] | None = None
        self._number = self._answered = 0
        self._goes_to_evidence = False
        """Whether the log shall go to the evidence as soon as it shows that rank's output."""
        self._start: Action | None = None

    def look(self, run: RunSnapshot | None) -> None:
        """Have a run in trouble explained: once, and again when it is known what this machine can do."""
        trouble, environment = trouble_of(run), self._port.view.environment
        if trouble is None or run is None:
            self._asked = None
            return
        question = (trouble, environment is not None and environment.software is not None)
        if question == self._asked:
            return
        self._asked, self._number = question, self._number + 1
        number, may_write = self._number, not self._port.view.readonly
        Action(
            "diagnosing",
            lambda _: self._take_findings(number, Findings(trouble)),  # it was deleted: there is nobody to tell
            lambda: self._services.explain(run, environment, may_write),
            lambda found: self._take_findings(number, found),
            self._port.post_message,
        ).start()

    def _take_findings(self, number: int, found: Findings) -> None:
        """Show what was found, where it answers the newest question."""
        if number == self._number:
            self._answered = number
            self._port.change(findings=found)

    @property
    def is_waiting(self) -> bool:
        """Whether an explanation is still to come."""
        return self._answered != self._number

    def tick(self) -> None:
        """Look whether the run is in trouble now, and go to the evidence once the log can show it."""
        self.look(self._port.view.run)
        if self._goes_to_evidence:
            self._go_to_evidence()

    @property
    def is_told(self) -> bool:
        return is_told(self._port.view.run, self._port.view.findings)

    def fix(self, number: int = 1) -> None:
        """Open the window with the fixes, at this one."""
        view, found = self._port.view, self._findings()
        if view.readonly:
            self._port.notice(ONLY_WATCHES)
        elif not self.is_told:
            self._port.notice(NO_TROUBLE)
        elif found is None:
            self._port.notice("the diagnosis is not ready yet")
        elif not found.fixes:
            self._port.notice("no change of the plan fixes this: see the suggestions on the card")
        elif view.run is not None and not view.run.is_over:
            self._port.notice(f"the run is still active: {view.key('stop')} stops it first", "warn")
        else:
            self._open_window(found, number)

    def number(self, number: int) -> bool:
        """Open the window at an alternative, while the log has the focus; false where the key means a pane."""
        found = self._findings()
        if not self._pane.has_focus or found is None or not self.is_told or not 2 <= number <= len(found.fixes):
            return False
        self.fix(number)
        return True

    def open(self) -> bool:
        """Go to the line that shows it; false where it is gone to already, or there is none."""
        found = self._findings()
        if found is None or found.evidence is None or not self.is_told or self._pane.place.mark is not None:
            return False
        self._goes_to_evidence = True
        self._go_to_evidence()
        return True

    def report(self) -> None:
        """Show the whole report as a text."""
        found = self._findings()
        if found is None or not found.report:
            self._port.notice(
                "no report: this run has no failure" if not self.is_told else "the report is not ready yet"
            )
            return
        from lightning_tui.ui.failure.report_window import ReportWindow

        title = found.root.title if found.root is not None else ""
        self._port.open(ReportWindow(title, found.report, found.report_path, self._copy_report))

    def copy(self) -> bool:
        """Copy the report; false where something of the log is selected or marked instead, or there is none."""
        found = self._findings()
        has_other = self._pane.place.selection is not None or self._pane.place.mark not in (None, self._position(found))
        if found is None or not found.report or not self.is_told or has_other:
            return False
        self._copy_report()
        return True

    def _findings(self) -> Findings | None:
        return findings_for(self._port.view.run, self._port.view.findings)

    def _open_window(self, found: Findings, number: int) -> None:
        from lightning_tui.ui.failure.fix_window import FixWindow

        view, directory = self._port.view, self._port.directory
        if view.run is None or directory is None:
            return
        run_id = view.run.record.id
        window = FixWindow(run_id, found.root.title if found.root else "", found.fixes, number - 1, view.now)

        def take(fix: Fix | None) -> None:
            if fix is not None:
                self._relaunch(directory, run_id, fix)

        self._port.open(window, take)

    def _relaunch(self, directory: RunDirectory, run_id: str, fix: Fix) -> None:
        if self._start is not None and self._start.is_running:
            self._port.notice("it is starting")
            return

        def take(child: RunDirectory) -> None:
            self._port.attach(child)
            self._port.notice(sentence_of(run_id, fix), "good", RELAUNCHED_S)

        self._port.notice("relaunching …", "accent", RELAUNCHED_S)
        self._start = Action(
            "relaunching",
            "The run could not be relaunched",
            lambda: self._services.relaunch(directory, fix),
            take,
            self._port.post_message,
        )
        self._start.start()

    def _go_to_evidence(self) -> None:
        found = self._findings()
        if found is None or found.evidence is None or self._log.go_to(found.evidence.rank, found.evidence.line):
            self._goes_to_evidence = False

    def _position(self, found: Findings | None) -> int | None:
        lines = self._pane.place.lines
        if found is None or found.evidence is None or lines is None:
            return None
        return lines.position_of(found.evidence.rank, found.evidence.line)

    def _copy_report(self) -> None:
        found = self._findings()
        directory = self._port.directory
        if found is None or directory is None:
            return
        from lightning_tui.ui.log.copying import copy_text

        report, written = found.report, found.report_path
        target = None if written is not None else directory.path / "copied.txt"
        there = Path(written) if written is not None else None
        self._log.take_out("copying", lambda: copy_text(report, "the report", target, there))


def sentence_of(run_id: str, fix: Fix) -> str:
    """What is said of a child run."""
    step = fix.beginning.step
    if fix.beginning.checkpoint is None:
        return f"relaunched from {run_id}, from the beginning"
    return f"relaunched from {run_id}" + ("" if step is None else f" at step {step}")
