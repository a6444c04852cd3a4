"""The index changes nothing but how long it takes: what is read with it is what is read without it."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lightning_tui.record import HostSample, ProgramRecord, RunDirectory, RunReader, RunStore, Series
from lightning_tui.record import index as module
from lightning_tui.record.append import EventLog
from lightning_tui.record.events import (
    CheckpointSaved,
    DeviceMemory,
    Event,
    FitEnd,
    Hello,
    Metrics,
    Points,
    Progress,
    Sampled,
    StageChanged,
    SupervisorStarted,
    TrainerSeen,
)
from lightning_tui.record.index import KEPT_SAMPLES_S, RunIndex
from lightning_tui.record.samples import GpuChange
from tests.record.events import make


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDirectory:
    """A run whose index is written after every look."""
    monkeypatch.setattr(module, "SAVE_AFTER_BYTES", 1)
    program = ProgramRecord(label="a", given=["a.py"], folder=str(tmp_path), interpreter="python")
    found, _ = RunStore(tmp_path).create(program=program, plan={}, now=90.0)
    return found


def append(path: Path, *events: Event) -> None:
    with path.open("ab") as file:
        file.write(b"".join(msgspec.json.encode(event) + b"\n" for event in events))


def training(directory: RunDirectory, first: int, last: int, attempt: int = 0) -> None:
    """Some epochs of a run with two ranks and a supervisor that samples."""
    directory.prepare_attempt(attempt)
    for rank in (0, 1):
        path = directory.events(attempt) / f"rank-{rank}.jsonl"
        if not path.exists():
            append(path, make(Hello, rank=rank, pid=100 + rank), make(TrainerSeen, world_size=2), make(StageChanged))
        for epoch in range(first, last):
            time = 100.0 * (epoch + 1)
            append(
                path,
                make(StageChanged, stage="train", time=time, epoch=epoch),
                *(
                    make(Progress, time=time + b * 5, epoch=epoch, batch=b, max_epochs=9, global_step=epoch * 10 + b,
                         step_time_s=0.1 * (rank + 1))
                    for b in range(11)
                ),
                make(Metrics, time=time, epoch=epoch, series={"loss": Points([epoch, epoch + 1], [2, "nan"])}),
                make(DeviceMemory, time=time, device="cuda:0", uuid=None, allocated=epoch, reserved=2, peak_allocated=3,
                     peak_reserved=3, total=None),
                make(StageChanged, stage="validate", time=time + 60, epoch=epoch),
                make(StageChanged, stage="train", time=time + 80, epoch=epoch),
                make(CheckpointSaved, time=time + 81, path=f"{epoch}.ckpt", epoch=epoch, global_step=epoch, size=1,
                     seconds=1.0),
            )  # fmt: skip
    log = directory.supervisor_log(0)
    if not log.exists():
        append(log, make(SupervisorStarted))
    host = HostSample(cpu_count=1)
    for epoch in range(first, last):
        gpus = (GpuChange(index=0, utilization=float(epoch), memory_used=epoch, memory_total=9),)
        append(log, *(make(Sampled, time=100.0 * epoch + s, host=host, gpus=gpus) for s in range(100)))


def told(reader: RunReader) -> dict[str, Any]:
    """All that a reader says, as plain values; `nan` is written as a word, so that it equals itself."""
    while reader.poll():
        pass
    snapshot = reader.snapshot()
    values = {
        name: getattr(snapshot, name) for name in snapshot.__struct_fields__ if name not in ("metrics", "timeline")
    }
    series = {name: repr(series.state()) for name, series in snapshot.metrics.items()}
    assert snapshot.timeline is not None
    return {
        **values,
        "series": series,
        "timeline": repr(snapshot.timeline.state()),
        "sums": repr(reader.history.sums()),
    }


def from_the_start(directory: RunDirectory) -> RunReader:
    return RunReader(directory, clock=lambda: 5000.0, on_event=lambda source, event: None)


def with_index(directory: RunDirectory) -> RunReader:
    return RunReader(directory, clock=lambda: 5000.0)


def lines_read(reader: RunReader) -> int:
    """Bytes of event files that a reader reads by itself."""
    before = sum(tail.offset for tail in reader._tails.values())
    reader.poll()
    return sum(tail.offset for tail in reader._tails.values()) - before


def test_a_reader_goes_on_where_the_index_ends(directory: RunDirectory) -> None:
    training(directory, 0, 3)
    first = with_index(directory)
    assert told(first) == told(from_the_start(directory))
    assert RunIndex(directory).path.stat().st_mode & 0o777 == 0o600
    again = with_index(directory)
    assert lines_read(again) == 0
    assert told(again) == told(from_the_start(directory))
    training(directory, 3, 5)
    assert told(again) == told(from_the_start(directory)), "an old reader goes on"
    assert told(with_index(directory)) == told(from_the_start(directory))
    training(directory, 0, 2, attempt=1)
    append(directory.events(1) / "rank-0.jsonl", make(FitEnd))
    assert told(with_index(directory)) == told(from_the_start(directory))
    assert told(with_index(directory)) == told(from_the_start(directory))


def test_only_the_samples_of_the_last_minutes_are_read_again(directory: RunDirectory) -> None:
    training(directory, 0, 40)
    told(with_index(directory))
    found = RunIndex(directory).load({})
    assert found is not None
    kept = found[0][directory.supervisor_log(0)]
    assert len(kept) == KEPT_SAMPLES_S + 2, "one a second, and the supervisor's start"
    assert len(found[0][directory.events(0) / "rank-1.jsonl"]) < 60
    assert told(with_index(directory)) == told(from_the_start(directory))


@pytest.mark.parametrize("what", ["shrunk", "replaced", "rewritten", "gone"])
def test_an_index_that_does_not_fit_the_files_is_not_trusted(directory: RunDirectory, what: str) -> None:
    training(directory, 0, 3)
    told(with_index(directory))
    path = directory.events(0) / "rank-0.jsonl"
    data = path.read_bytes()
    if what == "shrunk":
        os.truncate(path, len(data.splitlines()[0]) + 1)
    elif what == "replaced":
        path.rename(path.with_suffix(".old"))
        path.write_bytes(data)
    elif what == "rewritten":
        with path.open("r+b") as file:
            file.write(data.replace(b'"seconds":1.0', b'"seconds":7.0'))
    else:
        path.unlink()
    assert RunIndex(directory).load({}) is None
    assert told(with_index(directory)) == told(from_the_start(directory))


def test_a_damaged_index_is_passed_over_and_written_anew(directory: RunDirectory) -> None:
    training(directory, 0, 3)
    told(with_index(directory))
    path = RunIndex(directory).path
    whole = path.read_bytes()
    assert RunIndex(directory).load({}) is not None
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    for data in (b"", b"ab", whole[:middle], b"\x00" * 64, flipped, *map(summed, edited(whole))):
        path.write_bytes(data)
        assert RunIndex(directory).load({}) is None
        assert told(with_index(directory)) == told(from_the_start(directory))
        assert RunIndex(directory).load({}) is not None


def edited(whole: bytes) -> Iterator[Any]:
    """What no reader has written, though it is well-formed."""
    for where, value in (
        (("sums", "metrics", "loss", "columns"), [b"12345678"] * 4),
        (("sums", "metrics", "loss", "per_bin"), 0),
        (("sums", "timeline", "columns"), [b"1234567"] * 3),
        (("sums", "timeline", "every"), 0),
        (("version",), 99),
        (("byte_order",), "neither"),
        (("run",), "another"),
    ):
        content = msgspec.msgpack.decode(whole[4:])
        place = content
        for name in where[:-1]:
            place = place[name]
        place[where[-1]] = value
        yield content
    content = msgspec.msgpack.decode(whole[4:])
    content["files"]["../elsewhere.jsonl"] = next(iter(content["files"].values()))
    yield content


def summed(content: Any) -> bytes:
    data = msgspec.msgpack.encode(content)
    return zlib.crc32(data).to_bytes(4, "big") + data


def test_where_it_cannot_be_written_all_goes_on(directory: RunDirectory) -> None:
    training(directory, 0, 3)
    (directory.path / "index").write_text("in the way")
    assert told(with_index(directory)) == told(from_the_start(directory))
    assert not RunIndex(directory).path.exists()


def test_a_small_run_gets_no_index(tmp_path: Path) -> None:
    program = ProgramRecord(label="a", given=["a.py"], folder=str(tmp_path), interpreter="python")
    directory, _ = RunStore(tmp_path).create(program=program, plan={}, now=90.0)
    EventLog(directory.events(0) / "rank-0.jsonl").close()
    training(directory, 0, 2)
    told(with_index(directory))
    assert not (directory.path / "index").exists()


def test_a_series_is_stored_whole() -> None:
    series = Series(capacity=4)
    for step in range(11):
        series.add(step, step / 3)
    restored = Series.restored(
        msgspec.msgpack.decode(msgspec.msgpack.encode(series.state()), type=type(series.state()))
    )
    for step in range(11, 20):
        series.add(step, 1.0)
        restored.add(step, 1.0)
    assert restored.state() == series.state()
