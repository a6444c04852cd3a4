"""Which checkpoints does a run have, and which of them are whole? Judged without torch, from the files themselves."""

from __future__ import annotations

import contextlib
import math
import os
import pickle
import re
import zipfile
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from lightning_tui.files import size_of
from lightning_tui.record.directory import RunDirectory
from lightning_tui.record.events import CheckpointSaved
from lightning_tui.record.series import Series
from lightning_tui.record.snapshot import RunSnapshot

_TORN_PICKLE = (
    pickle.UnpicklingError, EOFError, ValueError, TypeError, LookupError, AttributeError, MemoryError, RecursionError,
)  # fmt: skip
"""What reading a torn pickle may raise."""

MOST_METADATA = 64 << 20
"""Bytes of a sharded checkpoint's `.metadata` that are looked into; a larger one is taken at its word."""

_ZIP_START, _PICKLE_START = b"PK\x03\x04", b"\x80"
_IN_NAME = re.compile(r"(epoch|step)=(\d{1,12})")


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint that is on disk. Size in bytes, times in UTC epoch seconds."""

    path: str
    global_step: int | None
    epoch: int | None
    size: int | None
    saved_at: float | None
    metrics: dict[str, float]
    """Each metric as last logged at or before that step; NaN where it had broken."""
    is_complete: bool
    """Whether all of it is there."""
    problem: str | None
    """Why a run should not go on from it, in one sentence: it is torn, or the loss had broken by then."""


def checkpoints_of(directory: RunDirectory, snapshot: RunSnapshot) -> tuple[Checkpoint, ...]:
    """The run's checkpoints, newest first: those that it told of and that are still there, and those it could not tell.

    The one that a relaunch let it go on from is among them, so that a run that failed before its first own one loses
    nothing. A remote one (`s3://...`) is taken at the word of its event.
    """
    there = [event for event in snapshot.checkpoints if _exists(event.path)]
    known = {os.path.realpath(event.path) for event in there}
    untold = [path for path in _found_in(directory.checkpoints) if os.path.realpath(path) not in known]
    curves = _curves(snapshot.metrics) if there or untold else {}
    found = [
        *(_of_event(event, _curves_of_fit(event.time, snapshot, curves)) for event in there),
        *(_of_file(path, whats_torn(path), curves) for path in untold),
        *_begun_from(snapshot),
    ]
    return tuple(sorted(found, key=_age_order, reverse=True))


def failed_checkpoint(snapshot: RunSnapshot) -> Path | None:
    """From which file the run began, by its plan or by its script's word; `None` where from none."""
    fields = snapshot.trainer.fields if snapshot.trainer is not None else {}
    script = fields["ckpt_path"].script if "ckpt_path" in fields else None
    given = snapshot.record.plan.get("ckpt_path") or script
    if not isinstance(given, str) or given in ("last", "best", "none", "hpc", "registry") or _is_remote(given):
        return None
    return Path(snapshot.record.program.folder, given)


def neighbours_of(failed: Path) -> tuple[Checkpoint, ...]:
    """The whole checkpoints in the folder of one that a run could not begin from, newest first."""
    with contextlib.suppress(OSError):
        paths = [path for path in failed.parent.glob("*.ckpt") if path != failed]
        found = [_of_file(path, whats_torn(path), {}) for path in paths]
        return tuple(sorted((c for c in found if c.is_complete), key=_age_order, reverse=True))
    return ()


def last_good(checkpoints: Iterable[Checkpoint]) -> Checkpoint | None:
    """The first, of checkpoints newest first, that a run can go on from."""
    return next((c for c in checkpoints if c.is_complete and c.problem is None), None)


def whats_torn(path: Path, expected_size: int | None = None, *, was_told: bool = False) -> str | None:
    """Say what of a checkpoint, a file or a folder, is missing; `None` where it is whole.

    `was_told` is whether the run said that it had saved it: all there is to go by for a pickle of before torch 1.6,
    besides the size that the run told of.
    """
    try:
        if path.is_dir():
            return _torn_folder(path)
        return _torn_file(path, expected_size, was_told)
    except OSError as error:
        return f"it cannot be read: {error.strerror or error}"


def is_sharded(path: Path) -> bool:
    """Whether it is a folder of `torch.distributed.checkpoint`, as FSDP and ModelParallel write it."""
    return (path / ".metadata").is_file() or any(path.glob("*.distcp"))


def is_deepspeed(path: Path) -> bool:
    """Whether it is a folder as DeepSpeed writes it; Lightning names the part with the states `checkpoint`."""
    return (path / "latest").is_file() or (path / "checkpoint").is_dir()


# ------------------------------------------------------------------------------------------------------ which are there


def _begun_from(snapshot: RunSnapshot) -> Iterator[Checkpoint]:
    path = snapshot.record.resumed_from
    if path is not None and _exists(path) and all(path != event.path for event in snapshot.checkpoints):
        torn = None if _is_remote(path) else whats_torn(Path(path), was_told=True)
        yield msgspec.structs.replace(_of_file(Path(path), torn, {}), path=path)


def _exists(path: str) -> bool:
    return _is_remote(path) or Path(path).exists()


def _is_remote(path: str) -> bool:
    return "://" in path


def _found_in(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        whole = [name for name in folders if _is_folder_checkpoint(Path(place, name))]
        folders[:] = [name for name in folders if name not in whole and not name.startswith(".")]
        names = [*whole, *(name for name in files if name.endswith(".ckpt"))]
        # Lightning's finders put the model aside in hidden files.
        yield from (Path(place, name) for name in names if not name.startswith("."))


def _is_folder_checkpoint(path: Path) -> bool:
    return path.name.endswith(".ckpt") or is_sharded(path) or (path / "latest").is_file()


def _of_event(event: CheckpointSaved, curves: Mapping[str, _SeriesLookup]) -> Checkpoint:
    path = Path(event.path)
    torn = None if _is_remote(event.path) else whats_torn(path, event.size, was_told=True)
    metrics = _metrics_at(event.global_step, curves)
    return Checkpoint(
        path=event.path,
        global_step=event.global_step,
        epoch=event.epoch,
        size=event.size if _is_remote(event.path) else size_of(path),
        saved_at=event.time,
        metrics=metrics,
        is_complete=torn is None,
        problem=torn or _broken_loss(metrics),
    )


def _of_file(path: Path, torn: str | None, curves: Mapping[str, _SeriesLookup]) -> Checkpoint:
    named = {word: int(number) for word, number in _IN_NAME.findall(path.name)}
    step = named.get("step")
    metrics = _metrics_at(step, curves) if step is not None else {}
    return Checkpoint(
        path=str(path),
        global_step=step,
        epoch=named.get("epoch"),
        size=size_of(path),
        saved_at=_changed_at(path),
        metrics=metrics,
        is_complete=torn is None,
        problem=torn or _broken_loss(metrics),
    )


def _age_order(checkpoint: Checkpoint) -> tuple[float, int]:
    step = -1 if checkpoint.global_step is None else checkpoint.global_step
    return (checkpoint.saved_at or 0.0, step)


def _changed_at(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None


# ----------------------------------------------------------------------------------------------------- how good it was


class _SeriesLookup(NamedTuple):
    """A series, ready to be asked for many steps. Steps rise between `starts`; a restart goes back."""

    series: Series
    steps: array[float]
    values: array[float]
    starts: list[int]


def _curves(metrics: Mapping[str, Series]) -> dict[str, _SeriesLookup]:
    return {name: _curve(series) for name, series in metrics.items()}


def _curves_of_fit(
    time: float, snapshot: RunSnapshot, current: dict[str, _SeriesLookup]
) -> Mapping[str, _SeriesLookup]:
    """The curves of the fit that was under way, or over last, at a time; none where it is kept no more."""
    begun = [fit for fit in snapshot.fits if fit.began_at is not None and fit.began_at <= time]
    fit = max(begun, key=lambda fit: fit.began_at or 0.0, default=None)
    if fit is None or fit is snapshot.fits[0]:
        return current
    is_of_another = bool(snapshot.fits_left_out) and fit.ended_at is not None and fit.ended_at < time
    return {} if is_of_another else _curves(fit.metrics)


def _curve(series: Series) -> _SeriesLookup:
    bins = series.bins()
    assert bins.mean is not None
    starts = [0, *(at for at, (one, next_one) in enumerate(pairwise(bins.steps), 1) if next_one < one)]
    return _SeriesLookup(series, bins.steps, bins.mean, starts)


def _metrics_at(step: int, curves: Mapping[str, _SeriesLookup]) -> dict[str, float]:
    found = {name: _value_at(step, curve) for name, curve in curves.items()}
    return {name: value for name, value in found.items() if value is not None}


def _value_at(step: int, curve: _SeriesLookup) -> float | None:
    """The last value at or before `step`; of a long series, whose neighbours were merged, the mean around it."""
    series = curve.series
    if series.last_step is not None and series.last_step <= step:
        return series.last
    if series.broken_since is not None and series.broken_since <= step:
        return math.nan
    end = len(curve.steps)
    for start in reversed(curve.starts):
        at = bisect_right(curve.steps, step, start, end) - 1
        if at >= start:
            return curve.values[at]
        end = start
    return None


def _broken_loss(metrics: Mapping[str, float]) -> str | None:
    broken = [name for name, value in sorted(metrics.items()) if "loss" in name.lower() and not math.isfinite(value)]
    return f"{broken[0]} was already {metrics[broken[0]]}, so its weights are lost too" if broken else None


# ------------------------------------------------------------------------------------------------------ is it whole


def _torn_file(path: Path, expected_size: int | None, was_told: bool) -> str | None:
    size = path.stat().st_size
    if size == 0:
        return "the file is empty"
    if expected_size is not None and size < expected_size:
        return f"the file has {size} bytes of {expected_size}"
    with path.open("rb") as file:
        start = file.read(len(_ZIP_START))
    if start == _ZIP_START:
        return _torn_zip(path, size)
    if not was_told:
        return "it is not a zip file as torch writes it, and the run did not report it as saved"
    return None if start.startswith(_PICKLE_START) else "it is neither a zip file nor a pickle"


def _torn_zip(path: Path, size: int) -> str | None:
    """A zip file names its entries at its very end: where that is there, and all entries are, so is the file."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries, start_of_directory = archive.infolist(), archive.start_dir
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError):
        return "its end is missing"
    if not entries:
        return "it is empty"
    if min(entry.header_offset for entry in entries) != 0:  # zipfile counts from the end: a gap before it shifts them
        return "part of it is missing"
    if any(entry.header_offset + entry.compress_size > min(start_of_directory, size) for entry in entries):
        return "part of it is missing"
    return None


def _torn_folder(path: Path) -> str | None:
    if is_sharded(path):
        return _torn_shards(path)
    if is_deepspeed(path):
        return _torn_deepspeed(path)
    return "the folder does not contain a checkpoint"


def _torn_shards(path: Path) -> str | None:
    """`.metadata` comes after all shards and says how long each is; Lightning's own `meta.pt` comes after that."""
    metadata = path / ".metadata"
    if not metadata.is_file() or metadata.stat().st_size == 0:
        return ".metadata is missing; it is written last, after all shards"
    if metadata.stat().st_size <= MOST_METADATA:
        try:
            needed = _needed_shards(metadata)
        except _TORN_PICKLE as error:
            return f".metadata is damaged ({type(error).__name__})"
        for name, length in sorted(needed.items()):
            shard = path / name
            if not shard.is_file() or shard.stat().st_size < length:
                return f"shard {name} is missing" if not shard.exists() else f"shard {name} is truncated"
    own = path / "meta.pt"
    return None if own.is_file() and _torn_file(own, None, False) is None else "meta.pt is missing or damaged"


class _Stub:
    """Stands for every class and function that a pickle names: it takes everything and does nothing."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Nothing of what a pickle passes is called."""

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            self.__dict__.update(state)

    def __setitem__(self, key: Any, value: Any) -> None:
        """An item of a mapping that is of no interest."""

    def extend(self, items: Any) -> None:
        """Items of a sequence that is of no interest."""

    append = extend


class _ToothlessUnpickler(pickle.Unpickler):
    """Reads a pickle's plain data, and imports and runs nothing of what it names."""

    def find_class(self, module: str, name: str) -> Any:
        return _Stub


def _needed_shards(metadata: Path) -> dict[str, int]:
    """The shards that a `.metadata` of `torch.distributed.checkpoint` names, and how many bytes each must have.

    Its `storage_data` has values with `relative_path`, `offset` and `length` (`_StorageInfo` in
    `torch/distributed/checkpoint/filesystem.py`).
    """
    with metadata.open("rb") as file:
        content = _ToothlessUnpickler(file).load()
    storage = getattr(content, "storage_data", None)
    needed: dict[str, int] = {}
    for info in (storage or {}).values():
        name, offset, length = (getattr(info, part, None) for part in ("relative_path", "offset", "length"))
        if isinstance(name, str) and isinstance(offset, int) and isinstance(length, int):
            needed[Path(name).name] = max(needed.get(Path(name).name, 0), offset + length)
    return needed


def _torn_deepspeed(path: Path) -> str | None:
    """`latest` names the folder of the states, and is written when they are there."""
    latest = path / "latest"
    tag = latest.read_text(errors="replace").strip() if latest.is_file() else ""
    if not tag:
        return "latest is missing; it is written last, after all parts"
    states = sorted((path / Path(tag).name).glob("*.pt"))
    if not any(file.name.endswith("model_states.pt") for file in states):
        return f"the model's states are missing in {tag}"
    for file in states:
        if (torn := _torn_file(file, None, True)) is not None:
            return f"{file.name}: {torn}"
    return None
