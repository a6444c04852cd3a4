"""How a supervisor watches one program: commands, stops, samples, ranks that vanish, restarts, and a truthful end."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time

import msgspec

from lightning_tui.gpus import GpuReading, GpuSampler
from lightning_tui.launch.attempts import (
    AttemptReview,
    ProgramStart,
    begin_attempt,
    how_it_ended,
    leave_for_lists,
    report_started,
    review_attempt,
)
from lightning_tui.launch.child import AdoptedProgram, Exit, WatchedProgram
from lightning_tui.launch.journal import Journal
from lightning_tui.launch.ladder import Ladder, StopView, climb
from lightning_tui.launch.processes import kill_until_gone, marked_processes, reap_children, send
from lightning_tui.launch.proof import Witness, checkpoint_proof
from lightning_tui.launch.ranks import RankWatch
from lightning_tui.launch.restarts import Decision, Tally, decide, pause_s
from lightning_tui.launch.sampling import PERIOD_S, GpuNews, HostWatch
from lightning_tui.launch.saving import SavingWatch, Writing
from lightning_tui.record.commands import Command, new_command, read_commands, write_command
from lightning_tui.record.directory import RunDirectory
from lightning_tui.record.events import Cause, Ended, Proof, RankGone, Restarting, Sampled, Stopping
from lightning_tui.record.samples import HostSample
from lightning_tui.record.standstill import IDLE_PERCENT

TICK_S = 0.1
RANKS_EVERY_S = 0.5
"""How often the ranks' events are read while nothing is asked of them, and files looked at while something is."""

SIZE_EVERY_S = 1.0
"""How often the growth of a checkpoint that a stop waits for is told."""

LEFTOVER_PATIENCE_S = 3.0
"""How long processes that outlive the program may take to end by themselves."""

KILL_PATIENCE_S = 10.0
"""How long a killed process may take to vanish before it is named as a survivor."""

LAST_WORD_PATIENCE_S = 600.0
"""How long the supervisor waits for a full disk to take its last word."""

HEARD_SIGNALS = (signal.SIGTERM, signal.SIGCHLD)
"""Blocked for the supervisor's whole life, and waited for."""


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """What a run was started with that its supervisor goes by."""

    patience_s: float
    term_patience_s: float | None = None
    start: ProgramStart | None = None
    """How to start the program again; `None` where that is not known."""
    most_restarts: int = 0
    first_pause_s: float
    tally: Tally = Tally()


class _After(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt that is over, with all that it had started."""

    end: Exit
    cause: Cause
    detail: str | None
    cleaned: int
    survivors: tuple[int, ...]
    review: AttemptReview | None
    proof: Proof


class Supervisor:
    """Watches one program from its start to its end, and again where it is started again."""

    def __init__(
        self,
        directory: RunDirectory,
        program: WatchedProgram,
        attempt: int,
        ranks: RankWatch,
        journal: Journal,
        conditions: Conditions,
    ) -> None:
        self._directory = directory
        self._program = program
        self._attempt = attempt
        self._ranks = ranks
        self._journal = journal
        self._conditions = conditions
        self._tally = conditions.tally
        self._ladder = Ladder(patience_s=conditions.patience_s, term_patience_s=conditions.term_patience_s)
        self._seen_commands: set[str] = set()
        self._own_commands: list[Command] = []
        self._host = HostWatch(directory)
        self._last_host: HostSample | None = None
        self._gpus = GpuSampler()
        self._gpu_news = GpuNews()
        self._saving = SavingWatch(directory)
        self._writing: Writing | None = None
        self._witness = Witness()
        self._ranks_due = 0.0
        self._sample_due = 0.0
        self._saving_due = 0.0
        self._size_due = 0.0

    def run(self) -> None:
        """Supervise until the program and all that it started are gone for good, and that is written."""
        self._gpus.latest()
        while self._start_again(self._see_to_its_end()):
            pass
        self._gpus.stop()

    def _see_to_its_end(self) -> _After:
        while (end := self._poll()) is None:
            self._wait(TICK_S)
        return self._clear_away(end)

    def _poll(self) -> Exit | None:
        """See and do all that is due; the program's end, once it has come."""
        now = time.monotonic()
        self._tend(now)
        return self._program.exit() or self._given_up(now)

    def _tend(self, now: float) -> None:
        self._journal.settle()
        self._climb(now)
        if now >= self._ranks_due:
            self._ranks_due = now + RANKS_EVERY_S
            self._ranks.read()
        self._note_gone()
        if now >= self._sample_due:
            is_in_time = now - self._sample_due < PERIOD_S
            self._sample_due = (self._sample_due if is_in_time else now) + PERIOD_S
            gpus = self._gpus.latest()
            self._sample(gpus)
            self._witness.see(self._host.pids, gpus.gpus)

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
        commands = self._new_commands()
        if commands or self._ladder.rung is not None:
            self._ranks.read()
            self._check_saving(now)
        ranks = self._ranks
        hangs = ranks.is_validating and ranks.stands_still(is_idle=self._is_idle())
        view = StopView(
            now=now,
            asked=tuple(commands),
            listens=ranks.listens,
            busy=self._writing is not None or (ranks.is_validating and not hangs),
            hangs=hangs,
            answers=ranks.answers,
        )
        before, self._ladder = self._ladder, climb(self._ladder, view)
        self._announce(before, now)
        if self._ladder.rung == "sigterm" and before.rung != "sigterm":
            self._program.terminate()
        if self._ladder.rung == "sigkill":
            self._program.kill()
            send(marked_processes(self._directory), signal.SIGKILL)

    def _is_idle(self) -> bool:
        percent = None if self._last_host is None else self._last_host.run_cpu_percent
        return percent is not None and percent <= IDLE_PERCENT

    def _new_commands(self) -> list[Command]:
        own, self._own_commands = self._own_commands, []
        with contextlib.suppress(OSError):  # a folder that cannot be read for now: what it holds is read later
            return read_commands(self._directory.commands, self._seen_commands) + own
        return own

    def _check_saving(self, now: float) -> None:
        if now < self._saving_due and (self._writing is not None) == (self._ranks.saving is not None):
            return
        self._saving_due = now + RANKS_EVERY_S
        pids = {*self._ranks.pids, *([] if self._program.pid is None else [self._program.pid])}
        self._writing = self._saving.check(self._ranks.saving, pids, now)

    def _announce(self, before: Ladder, now: float) -> None:
        after = self._ladder
        if after.rung is None or after.request is None:
            return
        is_busy = after.busy_since is not None and after.rung != "sigkill"
        is_saving = is_busy and self._writing is not None
        has_grown = is_saving and now >= self._size_due
        if (after.rung, after.deadline) == (before.rung, before.deadline) and not has_grown:
            return
        self._size_due = now + SIZE_EVERY_S
        wait_s = None if after.deadline is None else after.deadline - now
        self._journal.report(
            Stopping,
            rung=after.rung,
            by=after.request.by,
            next_rung_at=None if wait_s is None else time.time() + wait_s,
            is_saving=is_saving,
            is_validating=is_busy and not is_saving,
            saved_bytes=self._writing.size if is_saving and self._writing is not None else None,
        )

    def _given_up(self, now: float) -> Exit | None:
        """A program that not even SIGKILL ends hangs in the kernel: there is nothing more to wait for."""
        is_hopeless = self._ladder.rung == "sigkill" and now - self._ladder.since > KILL_PATIENCE_S
        return Exit() if is_hopeless else None

    # ------------------------------------------------------------------------------------------------- what is written

    def _note_gone(self) -> None:
        for rank, pid in self._ranks.newly_gone():
            if self._is_a_loss(pid):
                self._journal.report(RankGone, rank=rank, pid=pid)

    def _is_a_loss(self, pid: int) -> bool:
        """Whether a rank vanished of something else than the program's orderly end, or our own signals."""
        if pid != self._program.pid or isinstance(self._program, AdoptedProgram):
            return self._ladder.rung in (None, "asked")
        end = self._program.exit() or Exit()
        of_ours = "SIGKILL" if self._ladder.rung == "sigkill" else None
        return end.signal not in (None, "SIGTERM", of_ours)

    def _sample(self, gpus: GpuReading) -> None:
        self._last_host = self._host.read()
        self._gpus.ours = frozenset(self._host.pids)
        is_written = self._journal.mention(
            Sampled,
            host=self._last_host,
            gpus=self._gpu_news.changes(gpus.gpus, time.monotonic()),
            gpus_missing=gpus.missing,
            output_bytes=_output_bytes(self._directory),
        )
        if not is_written:
            self._gpu_news.forget()

    # --------------------------------------------------------------------------------------------------------- the end

    def _clear_away(self, end: Exit) -> _After:
        """Leave nothing of an attempt, and see what is known of it then."""
        self._ranks.read()
        self._wait_for_leftovers()
        self._note_gone()
        killed, survivors = kill_until_gone(self._directory, KILL_PATIENCE_S)
        gpus = self._gpus.refresh(2 * PERIOD_S)
        self._sample(gpus)
        cause, detail = _cause_of(end, self._ladder, was_adopted=isinstance(self._program, AdoptedProgram))
        review = review_attempt(self._directory, end, cause)
        proof = self._witness.proof(
            ranks=len(self._ranks.met - self._ranks.alive),
            survivors=survivors,
            gpus=gpus.gpus,
            checkpoint=None if review is None else checkpoint_proof(review.checkpoints),
        )
        cleaned = len(killed - set(survivors))
        return _After(
            end=end, cause=cause, detail=detail, cleaned=cleaned, survivors=tuple(survivors), review=review, proof=proof
        )

    def _wait_for_leftovers(self) -> None:
        deadline = time.monotonic() + LEFTOVER_PATIENCE_S
        while self._ladder.rung != "sigkill" and time.monotonic() < deadline and marked_processes(self._directory):
            time.sleep(TICK_S)
            reap_children()

    def _report_end(self, after: _After, not_restarted: str | None = None) -> None:
        self._journal.report(
            Ended,
            code=after.end.code,
            signal=after.end.signal,
            cause=after.cause,
            detail=after.detail,
            cleaned=after.cleaned,
            survivors=after.survivors,
            proof=after.proof,
            not_restarted=not_restarted,
        )
        if self._insist_on_last_word() and after.review is not None and not after.survivors:
            leave_for_lists(self._directory, after.review.reader)

    def _insist_on_last_word(self) -> bool:
        """Wait for a full disk; false where it did not take the end of the run in time."""
        deadline = time.monotonic() + LAST_WORD_PATIENCE_S
        while not self._journal.settle() and time.monotonic() < deadline:
            heard = signal.sigtimedwait(HEARD_SIGNALS, 1.0)
            if heard is not None and heard.si_signo == signal.SIGTERM:
                break
        return self._journal.settle()

    # -------------------------------------------------------------------------------------------------------- restarts

    def _start_again(self, after: _After) -> bool:
        """Start the program again where that may help; else tell the end, and return false."""
        decision = self._decide(after)
        start = self._conditions.start
        if decision.tally is None or start is None:
            self._report_end(after, decision.reason or None)
            return False
        self._tally, self._attempt = decision.tally, self._attempt + 1
        resume_from = self._report_restart(after, decision)
        self._ranks = RankWatch(self._directory, self._attempt)
        if not self._pause(pause_s(self._tally.in_a_row, self._conditions.first_pause_s)):
            self._report_end(self._ended_on_request(after, decision))
            return False
        try:
            self._program = begin_attempt(self._directory, start, self._attempt, resume_from)
        except (OSError, subprocess.SubprocessError) as error:
            detail = f"it could not be restarted: {error}"
            self._report_end(msgspec.structs.replace(after, cause="launch", detail=detail))
            return False
        report_started(self._journal, self._attempt, self._program.pid or 0, start.command)
        return True

    def _decide(self, after: _After) -> Decision:
        most = self._conditions.most_restarts
        if most == 0 or self._ladder.rung is not None or after.review is None:
            return Decision(None)
        decision = decide(how_it_ended(self._directory, after.end, after.review, self._last_host), self._tally, most)
        if decision.tally is not None and after.survivors:
            return Decision(None, "processes of the last attempt could not be ended")
        if decision.tally is not None and self._conditions.start is None:
            return Decision(None, "how it was started is no longer known")
        return decision

    def _report_restart(self, after: _After, decision: Decision) -> str | None:
        """Tell of the restart that is to come; returns the checkpoint that it goes on from."""
        from lightning_tui.record.checkpoints import last_good

        good = None if after.review is None else last_good(after.review.checkpoints)
        self._journal.report(
            Restarting,
            attempt=self._attempt,
            number=self._tally.in_a_row,
            most=self._conditions.most_restarts,
            after=decision.reason,
            category=decision.category,
            code=after.end.code,
            signal=after.end.signal,
            checkpoint=None if good is None else good.path,
            global_step=None if good is None else good.global_step,
            begins_at=time.time() + pause_s(self._tally.in_a_row, self._conditions.first_pause_s),
        )
        return None if good is None else good.path

    def _pause(self, seconds: float) -> bool:
        """Wait before a restart; false where somebody asks for an end meanwhile."""
        until = time.monotonic() + seconds
        while (now := time.monotonic()) < until:
            self._tend(now)
            if self._ladder.rung is not None:
                return False
            self._wait(min(TICK_S, until - now))
        return True

    def _ended_on_request(self, after: _After, decision: Decision) -> _After:
        is_kill = self._ladder.request is not None and self._ladder.request.op == "kill"
        return msgspec.structs.replace(
            after,
            end=Exit(),
            cause="kill" if is_kill else "stop",
            detail=f"stopped on request while waiting to restart after: {decision.reason}",
        )


def _cause_of(end: Exit, ladder: Ladder, *, was_adopted: bool) -> tuple[Cause, str | None]:
    """Why the program ended, and a sentence where the word does not say it all."""
    if ladder.rung is None or ladder.request is None:
        return ("unknown" if was_adopted else "program"), None
    was_killed = ladder.rung == "sigkill" and end.code is None
    if was_killed:
        return "kill", None if ladder.request.op == "kill" else "a stop was requested, and only SIGKILL ended it"
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
