"""Where does the evidence come from? A text, a file of any size, or the directory of a run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from lightning_tui.diagnosis.growth import steady_growth
from lightning_tui.diagnosis.model import Conduct, Evidence, Output, Raised
from lightning_tui.record import RunDirectory, RunReader, RunSnapshot, RunState
from lightning_tui.record.checkpoints import checkpoints_of, last_good
from lightning_tui.record.events import (
    AnyEvent,
    ExceptionRaised,
    FieldValue,
    FitEnd,
    Memory,
    ProgramEnd,
    Progress,
    RankGone,
    Sampled,
    StageChanged,
)
from lightning_tui.record.state import BEFORE_FIT

HEAD_BYTES = 128 << 10
TAIL_BYTES = 1 << 20
"""What is read of a long output: its beginning (imports, drivers) and its end."""
MOST_RANKS = 16


def evidence_of_text(
    text: str, *, first_line: int = 1, exit_code: int | None = None, signal: str | None = None
) -> Evidence:
    """A text alone, as it was pasted or piped. Of a very long one the head and the tail are taken.

    `first_line` is the number of its first line, where it is the end of a longer one.
    """
    keep = HEAD_BYTES + TAIL_BYTES
    if len(text) <= keep:
        return Evidence(outputs=(Output(text, None, first_line),), exit_code=exit_code, signal=signal)
    head, tail = text[:HEAD_BYTES], text[-TAIL_BYTES:]
    skipped = text.count("\n", 0, len(text) - len(tail))
    outputs = (Output(head, None, first_line), Output(tail, None, first_line + skipped))
    return Evidence(outputs=outputs, exit_code=exit_code, signal=signal)


def evidence_of_file(path: Path) -> Evidence:
    """A file of output; of a long one the head and the tail.

    Raises:
        OSError: it cannot be read.
    """
    return Evidence(outputs=read_output(path))


def read_output(path: Path, rank: int | None = None, limit: int = TAIL_BYTES) -> tuple[Output, ...]:
    """The head and the tail of an output file, or all of it where it is short; line numbers are those of the file.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        length = file.seek(0, 2)
        file.seek(0)
        if length <= HEAD_BYTES + limit:
            return (Output(_text(file.read()), rank),)
        head = file.read(HEAD_BYTES)
        lines = head.count(b"\n")
        left = length - HEAD_BYTES - limit
        while left > 0 and (chunk := file.read(min(left, 1 << 20))):
            lines += chunk.count(b"\n")
            left -= len(chunk)
        tail = file.read(limit)
    return Output(_text(head), rank), Output(_text(tail), rank, lines + 1)


def _text(data: bytes) -> str:
    return data.replace(b"\0", b"").decode("utf-8", errors="replace")


def evidence_of_run(directory: RunDirectory, snapshot: RunSnapshot | None = None) -> Evidence:
    """All that a run left: output of every rank, exceptions, its end, the hardware, and how its processes behaved.

    Args:
        snapshot: what is known of the run already; read anew where it is `None`.

    Raises:
        RecordError: `run.json` is missing, broken or too new.
    """
    story = _Story()
    reader = RunReader(directory, on_event=story.take)
    while reader.poll():
        pass
    seen = snapshot or reader.snapshot()
    ended = seen.ended
    return Evidence(
        outputs=_outputs(directory, seen.attempt),
        exceptions=_uncaught(story, seen),
        exit_code=ended.code if ended else None,
        signal=ended.signal if ended else None,
        plan=seen.record.plan,
        actual=_actual(seen),
        batch_size=story.batch_size,
        world_size=seen.trainer.world_size if seen.trainer else None,
        gpus=seen.gpus,
        host=seen.host,
        conduct=_conduct(story, seen),
        of_run=True,
        only_rank=_only_rank(seen),
        has_checkpoint=last_good(checkpoints_of(directory, seen)) is not None,
    )


def _uncaught(story: _Story, seen: RunSnapshot) -> tuple[Raised, ...]:
    """The attempt's exceptions, without those that the program caught."""
    caught = {(event.time, event.type) for event in seen.caught}
    in_attempt = (raised for attempt, raised in story.exceptions if attempt == seen.attempt)
    return tuple(raised for raised in in_attempt if (raised.time, raised.type) not in caught)


def _only_rank(seen: RunSnapshot) -> int | None:
    is_alone = len(seen.ranks) == 1 and (seen.trainer is None or seen.trainer.world_size in (None, 1))
    return seen.ranks[0].rank if is_alone else None


def _outputs(directory: RunDirectory, attempt: int) -> tuple[Output, ...]:
    ranks = list(directory.outputs(attempt).items())[:MOST_RANKS]
    limit = max(64 << 10, TAIL_BYTES // max(1, len(ranks)))
    found: list[Output] = []
    for rank, path in ranks:
        try:
            # One file may carry several ranks (DDP's other ranks write to the first one's output).
            found += read_output(path, rank if len(ranks) > 1 else None, limit)
        except OSError:
            continue
    return tuple(found)


def _actual(seen: RunSnapshot) -> Mapping[str, FieldValue]:
    if seen.trainer is None:
        return {}
    fields = seen.trainer.fields.items()
    return {name: field.script if field.actual is None else field.actual for name, field in fields}


class _Story:
    """What is kept of a run's events, beyond the snapshot."""

    def __init__(self) -> None:
        self.exceptions: list[tuple[int, Raised]] = []
        self.batch_size: int | None = None
        self.step_time_s: float | None = None
        self.gone: list[RankGone] = []
        self.host_memory: list[int] = []
        self.device_memory: list[int] = []
        self.in_fit: set[int] = set()
        self.left_early: list[int] = []
        self.program_exit: int | None = None
        self.spoke: set[int] = set()

    def take(self, source: Mapping[str, int], event: AnyEvent) -> None:
        """Keep what matters of one event."""
        rank = source.get("rank", 0)
        if isinstance(event, ExceptionRaised):
            self._raised(source, event)
        elif isinstance(event, StageChanged):
            (self.in_fit.discard if event.stage in ("setup", "done") else self.in_fit.add)(rank)
        elif isinstance(event, FitEnd):
            self.in_fit.discard(rank)
            self.spoke.add(rank)
        elif isinstance(event, ProgramEnd):
            self._left(rank, event.code)
        elif isinstance(event, RankGone):
            self.gone.append(event)
        else:
            self._measured(event)

    def _raised(self, source: Mapping[str, int], event: ExceptionRaised) -> None:
        rank = source.get("rank", 0)
        self.in_fit.discard(rank)
        self.spoke.add(rank)
        raised = Raised(
            type=event.type,
            message=event.message,
            traceback=event.traceback,
            rank=rank,
            hook=event.hook,
            time=event.time,
        )
        self.exceptions.append((source.get("attempt", 0), raised))

    def _left(self, rank: int, code: int) -> None:
        self.spoke.add(rank)
        if rank in self.in_fit:
            self.in_fit.discard(rank)
            self.program_exit = code
            if code == 0:
                self.left_early.append(rank)

    def _measured(self, event: AnyEvent) -> None:
        if isinstance(event, Progress) and event.stage == "train":
            self.batch_size = event.batch_size or self.batch_size
            self.step_time_s = event.step_time_s or self.step_time_s
        elif isinstance(event, Memory):
            _note(self.device_memory, event.allocated)
        elif isinstance(event, Sampled) and event.host.run_memory is not None:
            _note(self.host_memory, event.host.run_memory)


def _note(points: list[int], value: int) -> None:
    """Keep a value; of very many, every second one."""
    points.append(value)
    if len(points) > 4096:
        del points[::2]


def _conduct(story: _Story, seen: RunSnapshot) -> Conduct:
    several = len(seen.ranks) > 1
    still = seen.standstill if seen.state is not RunState.LOST else None
    ended_on_request = seen.ended is not None and seen.ended.cause in ("stop", "kill")
    end = seen.program_end
    return Conduct(
        vanished=tuple(event.rank for event in story.gone if event.rank not in story.spoke),
        left_early=tuple(story.left_early) if several and seen.state is not RunState.FINISHED else (),
        left_before=failure.rank if (failure := seen.failure) and failure.message.endswith(BEFORE_FIT) else None,
        program_exit=story.program_exit if not several else None,
        exit_text=(end.text or "") if end is not None else "",
        exit_traceback=(end.traceback or "") if end is not None else "",
        complete_at=seen.fit_end.global_step if seen.fit_end is not None and seen.fit_end.finished else None,
        finished=seen.state is RunState.FINISHED,
        ended_on_request=ended_on_request,
        nan_metrics=tuple(
            sorted(name for name, series in seen.metrics.items() if "loss" in name.lower() and _is_lost(series.last))
        ),
        silent_s=still.silent_s if still is not None else None,
        standstill=still,
        step_time_s=story.step_time_s,
        host_growth=steady_growth(story.host_memory),
        device_growth=steady_growth(story.device_memory),
    )


def _is_lost(value: float | None) -> bool:
    return value is not None and not math.isfinite(value)
