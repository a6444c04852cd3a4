"""What was there to advise on a run that nobody watched? Its events once more, by their own times."""

from __future__ import annotations

import heapq
import re
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from lightning_tui.diagnosis.live.adviser import Adviser
from lightning_tui.diagnosis.live.disk import free_bytes
from lightning_tui.diagnosis.live.model import Advice, Around
from lightning_tui.diagnosis.live.output import OutputWarnings
from lightning_tui.diagnosis.model import Diagnosis
from lightning_tui.record import RunDirectory, RunSnapshot
from lightning_tui.record.events import AnyEvent, RankEvent, SupervisorEvent
from lightning_tui.record.history import RunHistory
from lightning_tui.record.snapshot import snapshot_of

HEAD_BYTES = 64 << 10
MOST_BYTES = 24 << 20
"""Read of all event files together: of long ones the beginning, which says what the run is, and the end."""
LEAST_BYTES = 256 << 10
MOST_LOOKS = 3000
SHORTEST_STEP_S, LONGEST_STEP_S = 0.5, 4.0
"""Between two looks, in the run's own time: as a watcher looks, or more seldom where the run is long."""
MOST_OUTPUT_TURNS = 64

_RANK_FILE = re.compile(r"rank-(\d{1,9})(?:-\d+)?\.jsonl")
_NODE_FILE = re.compile(r"(\d{1,9})\.jsonl")


def advice_of_run(directory: RunDirectory, run: RunSnapshot) -> tuple[Advice, ...]:
    """All advice on the newest attempt of a run, as a watcher would have seen it; nothing is written.

    Args:
        run: the run as it is now, whole: what of its record is not read again comes from there.
    """
    adviser = Adviser()
    replay(adviser, directory, run, all_warnings(OutputWarnings(directory), run))
    return adviser.update(run, run.ended_at or time.time(), Around(None if run.is_over else free_bytes(run)))


def replay(
    adviser: Adviser,
    directory: RunDirectory,
    run: RunSnapshot,
    warnings: tuple[Diagnosis, ...],
    most_bytes: int = MOST_BYTES,
) -> None:
    """Let the adviser look at what was before, in the run's own time."""
    history = RunHistory(run.record, run.directory)
    due, now = 0.0, run.started_at or 0.0
    lasted = (run.ended_at or time.time()) - now
    step = min(LONGEST_STEP_S, max(SHORTEST_STEP_S, lasted / MOST_LOOKS))
    for moment, number, is_rank, event in _events(directory, run.attempt, most_bytes):
        if moment >= due:
            due, now = moment + step, max(now, moment)
            snapshot = snapshot_of(history, supervisor_alive=True, ranks_alive=False, now=now)
            adviser.update(snapshot, now)
        if is_rank:
            history.apply_rank_event(run.attempt, number, event)
        else:
            history.apply_supervisor_event(event, number)
    # When the warnings were printed is not known here: they are told last, when the pace is known that weighs them.
    adviser.update(
        snapshot_of(history, supervisor_alive=True, ranks_alive=False, now=now), now, Around(warnings=warnings)
    )


def all_warnings(output: OutputWarnings, run: RunSnapshot) -> tuple[Diagnosis, ...]:
    """What the output holds by now."""
    return tuple(each for _ in range(MOST_OUTPUT_TURNS) for each in output.read_new(run))


_Told = tuple[float, int, bool, AnyEvent]


def _events(directory: RunDirectory, attempt: int, most_bytes: int) -> Iterator[_Told]:
    """Events of the supervisors and of one attempt's ranks: time, node or rank, whether a rank's, and the event."""
    nodes = _files(directory.supervisor, _NODE_FILE)
    ranks = _files(directory.events(attempt), _RANK_FILE)
    limit = max(LEAST_BYTES, most_bytes // max(1, len(nodes) + len(ranks)))
    on_node, on_rank = msgspec.json.Decoder(SupervisorEvent), msgspec.json.Decoder(RankEvent)
    streams = [_stream(path, node, False, on_node, limit) for node, path in nodes]
    streams += [_stream(path, rank, True, on_rank, limit) for rank, path in ranks]
    return heapq.merge(*streams, key=lambda told: told[0])


def _files(folder: Path, pattern: re.Pattern[str]) -> list[tuple[int, Path]]:
    try:
        found = sorted(folder.iterdir(), key=lambda path: path.stem)
    except OSError:
        return []
    return [(int(match[1]), path) for path in found if (match := pattern.fullmatch(path.name))]


def _stream(
    path: Path, number: int, is_rank: bool, decoder: msgspec.json.Decoder[AnyEvent], limit: int
) -> Iterator[_Told]:
    for line in _read_lines(path, limit):
        try:
            event = decoder.decode(line)
        except msgspec.DecodeError:
            continue
        yield event.time, number, is_rank, event


def _read_lines(path: Path, limit: int) -> Iterator[bytes]:
    """The lines of a file; of a long one those of its head and of its end."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            if size <= limit + HEAD_BYTES:
                yield from file
                return
            yield from file.read(HEAD_BYTES).split(b"\n")[:-1]
            file.seek(size - limit)
            yield from file.read(limit).split(b"\n")[1:]
    except OSError:
        return
