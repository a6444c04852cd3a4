"""A run's state, derived and never stored: pure functions of what the run's files say and of who is alive."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import Enum

import msgspec

from lightning_tui.record.events import (
    Ended,
    ExceptionRaised,
    FitEnd,
    ProgramEnd,
    Proof,
    RankGone,
    Restarting,
    Stage,
    Stopping,
)
from lightning_tui.text.units import plural, size

QUEUED_PATIENCE_S = 15.0
"""How long a run without any supervisor may count as queued before it counts as lost."""

_PEER_LOSS = re.compile(
    r"(closed|reset) by peer|broken pipe|connection (was )?(lost|refused)|remote process exited", re.IGNORECASE
)
"""How gloo, NCCL and the TCP store say that the other side is gone."""

_VANISHED = "process {pid} vanished without a message (killed, out of memory, or os._exit)"

_STOP_EXCEPTIONS = ("SIGTERMException", "KeyboardInterrupt")
"""Lightning turns SIGTERM and Ctrl-C into these; they are a request to stop, not a failure."""


class RunState(str, Enum):
    """The words for what a run is doing."""

    QUEUED = "queued"
    STARTING = "starting"
    TRAINING = "training"
    VALIDATING = "validating"
    PAUSED = "paused"
    STOPPING = "stopping"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"
    KILLED = "killed"
    LOST = "lost"

    @property
    def is_final(self) -> bool:
        """Whether nothing more will come."""
        return self in (RunState.FINISHED, RunState.STOPPED, RunState.FAILED, RunState.KILLED)


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """The first thing that went wrong, in time."""

    rank: int | None
    type: str
    message: str
    traceback: str = ""
    hook: str | None = None


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """All that the state depends on."""

    age_s: float
    started: bool
    supervisor_alive: bool
    ranks_alive: bool
    stage: Stage | None = None
    stop_asked: bool = False
    fit_seen: bool = False
    """Whether a fit has begun that has neither reported its end nor been left by an exception."""
    fit_end: FitEnd | None = None
    program_end: ProgramEnd | None = None
    """How global rank 0 left the program, in its own words."""
    telemetry_broke: bool = False
    failure: Failure | None = None
    ended: Ended | None = None
    restarting: Restarting | None = None
    """The newest restart."""
    elsewhere: str | None = None
    """Host of the supervisor where that is another one than the reader's: nobody here can tell who lives there."""
    rebooted: bool = False
    """Whether this host was started anew since the supervisor was."""
    last_step: int | None = None


class Verdict(msgspec.Struct, frozen=True):
    """The state and, where there is more to say than the word, one sentence."""

    state: RunState
    detail: str = ""


_STATE_OF_STAGE: dict[Stage, RunState] = {
    "setup": RunState.STARTING,
    "sanity_check": RunState.STARTING,
    "train": RunState.TRAINING,
    "validate": RunState.VALIDATING,
    "test": RunState.VALIDATING,
    "predict": RunState.VALIDATING,
    "paused": RunState.PAUSED,
    "done": RunState.TRAINING,
}


def derive(facts: Facts) -> Verdict:
    """Say what state a run is in."""
    if facts.ended is not None:
        return _end_state(facts, facts.ended)
    if not facts.supervisor_alive:
        return _unsupervised_state(facts)
    if not facts.started:
        return Verdict(RunState.QUEUED)
    if facts.stop_asked:
        return Verdict(RunState.STOPPING)
    state = _STATE_OF_STAGE.get(facts.stage or "setup", RunState.STARTING)
    is_told = state is RunState.STARTING and facts.restarting is not None
    return Verdict(state, restart_sentence(facts.restarting) if is_told and facts.restarting is not None else "")


def _unsupervised_state(facts: Facts) -> Verdict:
    if facts.ranks_alive:
        return Verdict(RunState.LOST, "supervisor gone, ranks still training: stop and adopt work")
    if facts.fit_end is not None and facts.fit_end.finished:
        return Verdict(RunState.FINISHED, "the supervisor had died; the fit reported its own end")
    if not facts.started and facts.age_s < QUEUED_PATIENCE_S:
        return Verdict(RunState.QUEUED)
    if not facts.started:
        return Verdict(RunState.LOST, "no supervisor has ever reported, and nothing is running")
    return Verdict(RunState.LOST, _loss(facts))


def _loss(facts: Facts) -> str:
    last = "" if facts.last_step is None else f"; last known step {facts.last_step}"
    if facts.elsewhere is not None:
        return f"it runs or ran on {facts.elsewhere}; its supervisor cannot be seen from this machine{last}"
    if facts.rebooted:
        return f"the host was rebooted{last}: relaunch resumes from the last complete checkpoint"
    return f"supervisor and ranks are gone, and the end was not recorded{last}"


def _end_state(facts: Facts, ended: Ended) -> Verdict:
    if ended.cause == "launch":
        return Verdict(RunState.FAILED, ended.detail or "the program could not be started")
    if ended.cause == "kill":
        return Verdict(RunState.KILLED, ended.detail or "killed on request")
    if ended.cause == "stop":
        return _end_after_stop(facts, ended)
    if facts.failure is not None:
        return _end_with_failure(facts.failure)
    return _end_by_itself(facts, ended)


def _end_after_stop(facts: Facts, ended: Ended) -> Verdict:
    if facts.fit_end is not None and facts.fit_end.finished:
        return Verdict(RunState.FINISHED, "the fit was complete before the stop took effect")
    if facts.failure is not None and not is_stop_exception(facts.failure.type):
        return Verdict(RunState.FAILED, f"failed while stopping: {failure_sentence(facts.failure)}")
    at_step = f" at step {facts.fit_end.global_step}" if facts.fit_end is not None else ""
    return Verdict(RunState.STOPPED, ended.detail or f"stopped{at_step} on request")


def _end_with_failure(failure: Failure) -> Verdict:
    if is_stop_exception(failure.type):
        signal = "Ctrl-C" if "KeyboardInterrupt" in failure.type else "SIGTERM from outside"
        return Verdict(RunState.STOPPED, f"ended by {signal}")
    return Verdict(RunState.FAILED, failure_sentence(failure))


def _end_by_itself(facts: Facts, ended: Ended) -> Verdict:
    if ended.signal == "SIGTERM":
        return Verdict(RunState.STOPPED, "ended by SIGTERM from outside")
    if ended.signal is not None:
        return Verdict(RunState.FAILED, f"the program was ended by {ended.signal}")
    if ended.cause == "unknown":
        return _unsupervised_state(facts)
    if ended.code:
        return Verdict(RunState.FAILED, _exit_sentence(facts, ended.code))
    if facts.fit_seen and not facts.telemetry_broke and not (facts.fit_end and facts.fit_end.finished):
        return Verdict(RunState.FAILED, "exit code 0, but the fit never reported its end")
    return Verdict(RunState.FINISHED)


def _exit_sentence(facts: Facts, code: int) -> str:
    text = facts.program_end.text if facts.program_end is not None else None
    said = f": {text.strip().partition(chr(10))[0]}" if text and text.strip() else ""
    if facts.fit_end is not None and facts.fit_end.finished:
        return f"training was complete; then the program exited with code {code}{said}"
    return f"the program exited with code {code}{said}"


def restart_sentence(restart: Restarting) -> str:
    """One line: which restart, from where, after what."""
    whence = f"from step {restart.global_step}" if restart.global_step is not None else "from the beginning"
    if restart.checkpoint is not None and restart.global_step is None:
        whence = "from the last checkpoint"
    return f"restart {restart.number} of {restart.most} {whence} after: {restart.after}"


def holding_sentence(stopping: Stopping) -> str:
    """One line: what a stop waits for, and what waits with it."""
    harder = "SIGTERM" if stopping.rung == "asked" else "SIGKILL"
    if stopping.is_validating:
        return f"waiting for the validation to end; {harder} is held back"
    so_far = "" if stopping.saved_bytes is None else f", {size(stopping.saved_bytes)} so far"
    return f"writing a checkpoint{so_far}; {harder} is held back"


def proof_sentence(proof: Proof) -> str:
    """One line: who is gone, what is free again, what is kept, and what is still there."""
    ranks, processes = proof.ranks_gone, proof.processes_gone
    parts = [f"{plural(ranks, 'rank') if ranks else plural(processes, 'process', 'processes')} gone"]
    if proof.gpu_released:
        parts.append(f"{size(proof.gpu_released)} released")
    if proof.gpu_held:
        parts.append(f"{size(proof.gpu_held)} of GPU memory still held")
    parts.append(_checkpoint_words(proof))
    if proof.survivors:
        names = ", ".join(f"{survivor.pid} {survivor.command}" for survivor in proof.survivors)
        parts.append(f"still running: {names}")
    return ", ".join(parts)


def _checkpoint_words(proof: Proof) -> str:
    checkpoint = proof.checkpoint
    if checkpoint is None:
        return "no checkpoint"
    name = "checkpoint" if checkpoint.global_step is None else f"checkpoint of step {checkpoint.global_step}"
    if checkpoint.is_complete:
        return f"{name} complete" + (f" ({checkpoint.problem})" if checkpoint.problem else "")
    return f"{name} is incomplete: {checkpoint.problem}"


def failure_sentence(failure: Failure) -> str:
    """One line: which rank, what, and the first line of the message."""
    where = f"rank {failure.rank}: " if failure.rank is not None else ""
    return where + failure_line(failure.type, failure.message)


def failure_line(type_name: str, message: str) -> str:
    """An exception in one line, as Python ends a traceback with it."""
    first_line = message.strip().partition("\n")[0]
    return f"{type_name}: {first_line}" if first_line else type_name


def caught_at_the_end(
    raised: Sequence[ExceptionRaised], rank: int, end: ProgramEnd | None, *, program_left_well: bool
) -> list[ExceptionRaised]:
    """Which exceptions a rank had caught by the time it left: all where it left well, else all but those that the last
    one was raised from. For rank 0, and for a rank that it has spawned, the program's own exit code 0 speaks.
    """
    others = [each for each in raised if not is_stop_exception(each.type)]
    is_told = end is not None and end.raised is not None
    if program_left_well and (rank == 0 or (end is not None and not is_told)):
        return others
    if end is None or end.raised is None or not others:
        return []
    if end.code == 0:
        return others
    if end.raised in ("", "SystemExit"):
        return []  # `except Exception: sys.exit(1)`: what was caught last is why it left
    last = others[-1].traceback
    return [each for each in others[:-1] if failure_line(each.type, each.message) not in last]


def caught_sentence(caught: Sequence[ExceptionRaised]) -> str:
    """One line: how many exceptions the program caught, and the newest of them."""
    what = failure_line(caught[-1].type, caught[-1].message)
    return f"the program caught {plural(len(caught), 'exception')} that ended a fit; the last one: {what}"


def is_stop_exception(type_name: str) -> bool:
    """Whether the exception is how Lightning carries a signal that asks it to end."""
    return type_name.rpartition(".")[2] in _STOP_EXCEPTIONS


def first_failure(
    exceptions: Iterable[tuple[int, ExceptionRaised]],
    gone: Iterable[RankGone],
    last_words: Iterable[int],
    ended: Ended | None = None,
    left_early: Iterable[tuple[int, ProgramEnd]] = (),
    left_before: Iterable[tuple[int, ProgramEnd]] = (),
) -> Failure | None:
    """Find the first failure in time: an exception, or a rank that vanished without a last word.

    A rank with a last word (exception, end of fit, orderly exit) did not vanish. One that left amid a fit, however
    orderly, is what the others fail of; one that left before it, only where all they say is that they lost it. Ranks
    that go when SIGTERM ends the program go with it. A lost connection to a peer is a consequence of something else
    and is named only where nothing else is known.
    """
    is_terminated = ended is not None and ended.signal == "SIGTERM"
    spoke = set(last_words)
    candidates = [
        (
            bool(_PEER_LOSS.search(event.message)),
            event.time,
            Failure(rank=rank, type=event.type, message=event.message, traceback=event.traceback, hook=event.hook),
        )
        for rank, event in exceptions
    ]
    candidates += [
        (False, event.time, _vanished(event, ended.signal if ended else None))
        for event in gone
        if event.rank not in spoke and not is_terminated
    ]
    if candidates:
        candidates += [(False, event.time, _left(rank, event, AMID_FIT)) for rank, event in left_early]
        candidates += [(True, event.time, _left(rank, event, BEFORE_FIT)) for rank, event in left_before]
    return min(candidates, key=lambda candidate: candidate[:2])[2] if candidates else None


AMID_FIT, BEFORE_FIT = "amid the fit", "before the fit began"


def _left(rank: int, event: ProgramEnd, when: str) -> Failure:
    return Failure(rank=rank, type="SystemExit", message=f"left with exit code {event.code} {when}")


def _vanished(event: RankGone, signal: str | None) -> Failure:
    """Only rank 0 is the supervisor's own child, so only of it is the signal known."""
    if event.rank == 0 and signal is not None:
        return Failure(rank=0, type=signal, message=f"process {event.pid} was ended by {signal}")
    return Failure(rank=event.rank, type="lost", message=_VANISHED.format(pid=event.pid))
