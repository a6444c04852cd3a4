"""How a supervisor watches one program: commands, stops, samples, ranks that vanish, and a truthful end."""

from __future__ import annotations

import contextlib
import signal
import time

import msgspec

from lightning_tui.gpus import GpuReading, GpuSampler
from lightning_tui.launch.child import AdoptedProgram, Exit, WatchedProgram
from lightning_tui.launch.journal import Journal
from lightning_tui.launch.ladder import Ladder, View, climb
from lightning_tui.launch.processes import kill_until_gone, marked_processes, reap_children, send
from lightning_tui.launch.ranks import RankWatch
from lightning_tui.launch.sampling import PERIOD_S, GpuNews, HostWatch
from lightning_tui.record.commands import Command, new_command, read_commands, write_command
from lightning_tui.record.directory import RunDirectory
from lightning_tui.record.events import Ended, RankGone, Sampled, Stopping

TICK_S = 0.1
RANKS_EVERY_S = 0.5
"""How often the ranks' events are read while nothing is asked of them."""

LEFTOVER_PATIENCE_S = 3.0
"""How long processes that outlive the program may take to end by themselves."""

KILL_PATIENCE_S = 10.0
"""How long a killed process may take to vanish before it is named as a survivor."""

LAST_WORD_PATIENCE_S = 600.0
"""How long the supervisor waits for a full disk to take its last word."""

HEARD_SIGNALS = (signal.SIGTERM, signal.SIGCHLD)
"""Blocked for the supervisor's whole life, and waited for."""


class Supervisor:
    """Watches one program from its start to its end."""

    def __init__(
        self, directory: RunDirectory, program: WatchedProgram, ranks: RankWatch, journal: Journal, patience_s: float
    ) -> None:
        self._directory = directory
        self._program = program
        self._ranks = ranks
        self._journal = journal
        self._ladder = Ladder(patience_s=patience_s)
        self._seen_commands: set[str] = set()
        self._own_commands: list[Command] = []
        self._host = HostWatch(directory)
        self._gpus = GpuSampler()
        self._gpu_news = GpuNews()
        self._ranks_due = 0.0
        self._sample_due = 0.0

    def run(self) -> None:
        """Supervise until the program and all that it started are gone, and that is written."""
        self._gpus.latest()
        while (end := self._look()) is None:
            self._wait(TICK_S)
        self._finish(end)
        self._gpus.stop()

    def _look(self) -> Exit | None:
        """See and do all that is due; the program's end, once it has come."""
        now = time.monotonic()
        self._journal.settle()
        self._climb(now)
        if now >= self._ranks_due:
            self._ranks_due = now + RANKS_EVERY_S
            self._ranks.read()
        self._note_gone()
        if now >= self._sample_due:
            is_in_time = now - self._sample_due < PERIOD_S
            self._sample_due = (self._sample_due if is_in_time else now) + PERIOD_S
            self._sample(self._gpus.latest())
        return self._program.exit() or self._given_up(now)

    def _wait(self, seconds: float) -> None:
        """Sleep, but wake for a child's end and for SIGTERM, which asks for a gentle stop of the run."""
        heard = signal.sigtimedwait(HEARD_SIGNALS, seconds)
        if heard is not None and heard.si_signo == signal.SIGTERM:
            self._own_commands.append(self._own_stop())

    def _own_stop(self) -> Command:
        command = msgspec.structs.replace(new_command("stop"), by="SIGTERM to the supervisor")
        with contextlib.suppress(OSError):  # telemetry will not hear of it, but the harder rungs work
            self._seen_commands.add(write_command(self._directory.commands, command).name)
        return command

    # ------------------------------------------------------------------------------------------------ the stop ladder

    def _climb(self, now: float) -> None:
        commands = read_commands(self._directory.commands, self._seen_commands) + self._own_commands
        self._own_commands = []
        if commands or self._ladder.rung is not None:
            self._ranks.read()
        ranks = self._ranks
        view = View(now=now, asked=tuple(commands), listens=ranks.listens, saving=ranks.saving, answers=ranks.answers)
        before, self._ladder = self._ladder, climb(self._ladder, view)
        self._announce(before, now)
        if self._ladder.rung == "sigterm" and before.rung != "sigterm":
            self._program.terminate()
        if self._ladder.rung == "sigkill":
            self._program.kill()
            send(marked_processes(self._directory), signal.SIGKILL)

    def _announce(self, before: Ladder, now: float) -> None:
        after = self._ladder
        if after.rung is None or after.request is None:
            return
        if (after.rung, after.deadline) != (before.rung, before.deadline):
            wait_s = None if after.deadline is None else after.deadline - now
            next_rung_at = None if wait_s is None else time.time() + wait_s
            self._journal.say(Stopping, rung=after.rung, by=after.request.by, next_rung_at=next_rung_at)

    def _given_up(self, now: float) -> Exit | None:
        """A program that not even SIGKILL ends hangs in the kernel: there is nothing more to wait for."""
        is_hopeless = self._ladder.rung == "sigkill" and now - self._ladder.since > KILL_PATIENCE_S
        return Exit() if is_hopeless else None

    # ------------------------------------------------------------------------------------------------- what is written

    def _note_gone(self) -> None:
        for rank, pid in self._ranks.newly_gone():
            if self._is_a_loss(pid):
                self._journal.say(RankGone, rank=rank, pid=pid)

    def _is_a_loss(self, pid: int) -> bool:
        """Whether a rank vanished of something else than the program's orderly end, or our own signals."""
        if pid != self._program.pid:
            return self._ladder.rung in (None, "asked")
        end = self._program.exit() or Exit()
        of_ours = "SIGKILL" if self._ladder.rung == "sigkill" else None
        return end.signal not in (None, "SIGTERM", of_ours)

    def _sample(self, gpus: GpuReading) -> None:
        host = self._host.read()
        self._gpus.ours = frozenset(self._host.pids)
        is_written = self._journal.mention(
            Sampled,
            host=host,
            gpus=self._gpu_news.changes(gpus.gpus, time.monotonic()),
            gpus_missing=gpus.missing,
            output_bytes=_output_bytes(self._directory),
        )
        if not is_written:
            self._gpu_news.forget()

    # --------------------------------------------------------------------------------------------------------- the end

    def _finish(self, end: Exit) -> None:
        self._ranks.read()
        self._wait_for_leftovers()
        self._note_gone()
        killed, survivors = kill_until_gone(self._directory, KILL_PATIENCE_S)
        self._sample(self._gpus.refresh(2 * PERIOD_S))
        cause, detail = _cause_of(end, self._ladder, was_adopted=isinstance(self._program, AdoptedProgram))
        self._journal.say(
            Ended,
            code=end.code,
            signal=end.signal,
            cause=cause,
            detail=detail,
            cleaned=len(killed - set(survivors)),
            survivors=tuple(survivors),
        )
        self._insist_on_last_word()

    def _wait_for_leftovers(self) -> None:
        deadline = time.monotonic() + LEFTOVER_PATIENCE_S
        while self._ladder.rung != "sigkill" and time.monotonic() < deadline and marked_processes(self._directory):
            time.sleep(TICK_S)
            reap_children()

    def _insist_on_last_word(self) -> None:
        deadline = time.monotonic() + LAST_WORD_PATIENCE_S
        while not self._journal.settle() and time.monotonic() < deadline:
            heard = signal.sigtimedwait(HEARD_SIGNALS, 1.0)
            if heard is not None and heard.si_signo == signal.SIGTERM:
                return


def _cause_of(end: Exit, ladder: Ladder, *, was_adopted: bool) -> tuple[str, str | None]:
    """Why the program ended, and a sentence where the word does not say it all."""
    if ladder.rung is None or ladder.request is None:
        return ("unknown" if was_adopted else "program"), None
    was_killed = ladder.rung == "sigkill" and end.code is None
    if was_killed:
        return "kill", None if ladder.request.op == "kill" else "a stop was asked for, and it took SIGKILL to end it"
    if ladder.request.op == "kill":
        return "program", None
    return "stop", "ended by SIGTERM on request" if ladder.rung == "sigterm" else None


def _output_bytes(directory: RunDirectory) -> dict[str, int]:
    sizes = {}
    for attempt in directory.attempts()[-1:]:
        for rank, path in directory.outputs(attempt).items():
            with contextlib.suppress(OSError):
                sizes[str(rank)] = path.stat().st_size
    return sizes
