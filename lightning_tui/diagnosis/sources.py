"""Where does the evidence come from? A text, a file of any size, or the directory of a run."""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from lightning_tui.diagnosis.growth import steady_growth
from lightning_tui.diagnosis.model import Conduct, Evidence, OutputTail, ReportedException
from lightning_tui.record import RunDirectory, RunReader, RunSnapshot, RunState
from lightning_tui.record.checkpoints import checkpoints_of, failed_checkpoint, last_good, neighbours_of
from lightning_tui.record.events import (
    AnyEvent,
    DeviceMemory,
    ExceptionRaised,
    FieldValue,
    FitEnd,
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
UNPACKED_LIMIT = 2 << 30
"""How much of a compressed output is unpacked at most."""
MOST_RANKS = 16


def evidence_of_text(
    text: str, *, first_line: int = 1, exit_code: int | None = None, signal: str | None = None
) -> Evidence:
    """A text alone, as it was pasted or piped. Of a very long one the head and the tail are taken.

    `first_line` is the number of its first line, where it is the end of a longer one.
    """
    keep = HEAD_BYTES + TAIL_BYTES
    if len(text) <= keep:
        return Evidence(outputs=(OutputTail(text, None, first_line),), exit_code=exit_code, signal=signal)
    head, tail = text[:HEAD_BYTES], text[-TAIL_BYTES:]
    skipped = text.count("\n", 0, len(text) - len(tail))
    outputs = (OutputTail(head, None, first_line), OutputTail(tail, None, first_line + skipped))
    return Evidence(outputs=outputs, exit_code=exit_code, signal=signal)


def evidence_of_file(path: Path) -> Evidence:
    """A file of output; of a long one the head and the tail.

    Raises:
        OSError: it cannot be read.
    """
    return Evidence(outputs=read_output(path))


def read_output(path: Path, rank: int | None = None, limit: int = TAIL_BYTES) -> tuple[OutputTail, ...]:
    """The head and the tail of an output file, or all of it where it is short; line numbers are those of the file.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        is_compressed = file.read(2) == b"\x1f\x8b"
        length = file.seek(0, 2)
        file.seek(0)
        if is_compressed:
            return _compressed_output(file, rank, limit)
        if length <= HEAD_BYTES + limit:
            return (OutputTail(_text(file.read()), rank),)
        head = file.read(HEAD_BYTES)
        lines = head.count(b"\n")
        left = length - HEAD_BYTES - limit
        while left > 0 and (chunk := file.read(min(left, 1 << 20))):
            lines += chunk.count(b"\n")
            left -= len(chunk)
        tail = file.read(limit)
    return OutputTail(_text(head), rank), OutputTail(_text(tail), rank, lines + 1)


def _compressed_output(file: BinaryIO, rank: int | None, limit: int) -> tuple[OutputTail, ...]:
    """The same of a gzip file: read through once, in bounded memory; of a damaged or endless one what came so far."""
    head = tail = b""
    lines = length = 0
    with gzip.open(file) as unpacked:
        while length < UNPACKED_LIMIT and (chunk := _next_chunk(unpacked)):
            length += len(chunk)
            if len(head) < HEAD_BYTES:
                taken = HEAD_BYTES - len(head)
                head, chunk = head + chunk[:taken], chunk[taken:]
            tail += chunk
            lines += tail.count(b"\n", 0, max(0, len(tail) - limit))
            tail = tail[-limit:]
    if not lines and len(head) + len(tail) == length:
        return (OutputTail(_text(head + tail), rank),)
    return OutputTail(_text(head), rank), OutputTail(_text(tail), rank, head.count(b"\n") + lines + 1)


def _next_chunk(unpacked: gzip.GzipFile) -> bytes:
    try:
        return unpacked.read1(1 << 20)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return b""


def _text(data: bytes) -> str:
    return data.replace(b"\0", b"").decode("utf-8", errors="replace")


def evidence_of_run(directory: RunDirectory, snapshot: RunSnapshot | None = None) -> Evidence:
    """All that a run left: output of every rank, exceptions, its end, the hardware, and how its processes behaved.

    Args:
        snapshot: what is known of the run already; read anew where it is `None`.

    Raises:
        RecordError: `run.json` is missing, broken or too new.
    """
    story = _EventDigest()
    reader = RunReader(directory, on_event=story.add)
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
        command=tuple(seen.record.program.given),
        folder=seen.record.program.folder,
        actual=_actual(seen),
        script=_script(seen),
        logged=tuple(seen.metrics),
        batch_size=story.batch_size,
        batches=story.batches,
        world_size=seen.trainer.world_size if seen.trainer else None,
        gpus=seen.gpus,
        host=seen.host,
        conduct=_conduct(story, seen),
        of_run=True,
        only_rank=_only_rank(seen),
        samples=story.samples,
        has_checkpoint=last_good(checkpoints_of(directory, seen)) is not None,
        has_neighbour=(failed := failed_checkpoint(seen)) is not None and bool(neighbours_of(failed)),
    )


def _uncaught(story: _EventDigest, seen: RunSnapshot) -> tuple[ReportedException, ...]:
    """The attempt's exceptions, without those that the program caught."""
    caught = {(event.time, event.type) for event in seen.caught}
    in_attempt = (raised for attempt, raised in story.exceptions if attempt == seen.attempt)
    return tuple(raised for raised in in_attempt if (raised.time, raised.type) not in caught)


def _only_rank(seen: RunSnapshot) -> int | None:
    is_alone = len(seen.ranks) == 1 and (seen.trainer is None or seen.trainer.world_size in (None, 1))
    return seen.ranks[0].rank if is_alone else None


def _outputs(directory: RunDirectory, attempt: int) -> tuple[OutputTail, ...]:
    ranks = list(directory.outputs(attempt).items())[:MOST_RANKS]
    limit = max(64 << 10, TAIL_BYTES // max(1, len(ranks)))
    found: list[OutputTail] = []
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


def _script(seen: RunSnapshot) -> Mapping[str, FieldValue]:
    return {} if seen.trainer is None else {name: field.script for name, field in seen.trainer.fields.items()}


class _EventDigest:
    """What is kept of a run's events, beyond the snapshot."""

    def __init__(self) -> None:
        self.exceptions: list[tuple[int, ReportedException]] = []
        self.batch_size: int | None = None
        self.batches: int | None = None
        self.step_time_s: float | None = None
        self.gone: list[RankGone] = []
        self.host_memory: list[int] = []
        self.device_memory: list[int] = []
        self.samples = 0
        self.in_fit: set[int] = set()
        self.left_early: list[int] = []
        self.program_exit: int | None = None
        self.spoke: set[int] = set()

    def add(self, source: Mapping[str, int], event: AnyEvent) -> None:
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
        raised = ReportedException(
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
            self.batches = event.total_batches or self.batches
            self.step_time_s = event.step_time_s or self.step_time_s
        elif isinstance(event, DeviceMemory):
            _note(self.device_memory, event.allocated)
        elif isinstance(event, Sampled):
            self.samples += 1
            if event.host.run_memory is not None:
                _note(self.host_memory, event.host.run_memory)


def _note(points: list[int], value: int) -> None:
    """Keep a value; of very many, every second one."""
    points.append(value)
    if len(points) > 4096:
        del points[::2]


def _conduct(story: _EventDigest, seen: RunSnapshot) -> Conduct:
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
