"""What was seen of a run over time, as far as its advice needs it: bounded, however long the run is."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from lightning_tui.diagnosis.live.model import Around
from lightning_tui.diagnosis.live.spikes import LossWatch
from lightning_tui.record import GpuSample, ProgressView, RankView, RunSnapshot

WINDOW_S = 60.0
"""Over how long a pace is measured: long enough for uneven batches, short enough to follow a change."""
HALF_LIFE_S = 20.0
"""Of the means of ranks and GPUs."""
LONGEST_GAP_S = 10.0
"""What lies between two looks counts at most so much as seen."""
LAP_S = 10.0
"""Shorter epochs are taken together."""
DISK_PERIOD_S = 10.0
_IN_FIT = ("train", "validate")
SERIES_PERIOD_S = 1.0


class WindowPace(NamedTuple):
    """Training batches of global rank 0 over the last minute. Times are means of a batch, in seconds."""

    step_s: float
    wait_s: float
    batches: int
    span_s: float
    """From the first to the last of them."""

    @property
    def share(self) -> float:
        """Share of a step that is waiting for data, 0 to 1."""
        return self.wait_s / self.step_s if self.step_s > 0 else 0.0


class _Piece(NamedTuple):
    time: float
    batches: float
    step_s: float
    wait_s: float


class Mean:
    """A mean in which what is `HALF_LIFE_S` ago counts half."""

    __slots__ = ("seen_s", "time", "value")

    def __init__(self) -> None:
        self.value = 0.0
        self.seen_s = 0.0
        self.time: float | None = None

    def add(self, value: float, time: float) -> None:
        """Take a value that held since the one before."""
        if self.time is None:
            self.value, self.time = value, time
            return
        gap = min(LONGEST_GAP_S, max(0.0, time - self.time))
        self.time = time
        if gap:  # a plain mean at first, as long as there is little to forget
            new = max(gap / (self.seen_s + gap), 1 - 0.5 ** (gap / HALF_LIFE_S))
            self.value += (value - self.value) * new
            self.seen_s += gap


class RankPace:
    """Step time and wait of one rank, means in seconds."""

    __slots__ = ("place", "step", "wait")

    def __init__(self) -> None:
        self.step = Mean()
        self.wait = Mean()
        self.place: int | None = None

    def add(self, rank: RankView, time: float) -> None:
        """Take what the rank says, where it has come further."""
        if rank.step_time_s is None or rank.data_wait_s is None or rank.global_step == self.place:
            return
        self.place = rank.global_step
        self.step.add(rank.step_time_s, time)
        self.wait.add(rank.data_wait_s, time)


class GpuWatch:
    """Load, clock and throttling of one GPU while the run trains; shares from 0 to 1."""

    __slots__ = ("clock", "held", "load", "reasons")

    def __init__(self) -> None:
        self.load = Mean()
        self.clock = Mean()
        self.held = Mean()
        """Share of the time in which something other than the power limit held the clock down."""
        self.reasons: tuple[str, ...] = ()

    def add(self, gpu: GpuSample, time: float) -> None:
        """Take a fresh reading."""
        if gpu.utilization is not None:
            self.load.add(gpu.utilization / 100, time)
        if gpu.clock and gpu.clock_limit:
            self.clock.add(gpu.clock / gpu.clock_limit, time)
        if gpu.throttled is not None:
            hard = tuple(reason for reason in gpu.throttled if reason != "power cap")
            self.held.add(1.0 if hard else 0.0, time)
            self.reasons = hard or self.reasons


class Laps:
    """The highest use of memory in each epoch; short epochs are taken together."""

    __slots__ = ("_began", "_epoch", "_peak", "_samples", "done")

    def __init__(self) -> None:
        self.done: deque[int] = deque(maxlen=12)
        """Bytes, oldest first; the first epoch of a run is left out, since everything is still being filled."""
        self._epoch: int | None = None
        self._began = 0.0
        self._peak = 0
        self._samples = 0

    def add(self, epoch: int, amount: int, time: float) -> None:
        """Take a reading."""
        if self._epoch is None or epoch < self._epoch:
            self._begin(epoch, time)
        elif epoch > self._epoch and time - self._began >= LAP_S and self._samples >= 3:
            self._close()
            self._begin(epoch, time)
        self._peak = max(self._peak, amount)
        self._samples += 1

    def _begin(self, epoch: int, time: float) -> None:
        self._epoch, self._began, self._peak, self._samples = epoch, time, 0, 0

    def _close(self) -> None:
        if self._epoch is not None and self._epoch > 0:
            self.done.append(self._peak)


GpuKey = tuple[str, int, int | None]


class Observations:
    """Fed with one snapshot after another by one thread."""

    def __init__(self) -> None:
        self.fit_s = 0.0
        """How long it was seen to train and validate."""
        self.batches = 0.0
        """Training batches of rank 0 that were seen to be done."""
        self.train_batch_s: float | None = None
        """Usual wall time of a training batch, with all that goes on between batches."""
        self.epoch_batches: int | None = None
        """Training batches of an epoch, where that is known."""
        self.ranks: dict[int, RankPace] = {}
        self.gpus: dict[GpuKey, GpuWatch] = {}
        self.host_laps: dict[str, Laps] = {}
        self.rank_laps: dict[int, Laps] = {}
        self.disk: deque[tuple[float, int]] = deque(maxlen=180)
        """Time and free bytes, at most one in ten seconds: the last half hour."""
        self.losses = LossWatch()
        self._pieces: deque[_Piece] = deque(maxlen=256)
        self._pace: WindowPace | None = None
        self._attempt = 0
        self._time: float | None = None
        self._stage: str | None = None
        self._place: float | None = None
        self._series_due = 0.0

    def observe(self, run: RunSnapshot, now: float, around: Around) -> None:
        """Add the next look at the run."""
        if run.attempt != self._attempt:
            self._restart(run.attempt)
        progress = run.progress
        if progress is not None:
            self._observe_progress(progress, now)
            if progress.stage == "train" and not run.is_over:
                self._observe_ranks(run, progress, now)
        if now >= self._series_due:
            self._series_due = now + SERIES_PERIOD_S
            self.losses.add(run.metrics)
        if around.disk_free is not None and (not self.disk or now - self.disk[-1][0] >= DISK_PERIOD_S):
            self.disk.append((now, around.disk_free))
        self._time = now

    def pace(self) -> WindowPace | None:
        """The last minute's; `None` where nothing was measured in it."""
        return self._pace

    def load(self, keys: list[GpuKey], least_s: float) -> float | None:
        """Mean load of these GPUs, 0 to 1; `None` where one of them was not seen for so long."""
        watched = [self.gpus[key].load for key in keys if key in self.gpus]
        if not watched or len(watched) < len(keys) or min(mean.seen_s for mean in watched) < least_s:
            return None
        return sum(mean.value for mean in watched) / len(watched)

    def _restart(self, attempt: int) -> None:
        self._attempt = attempt
        self._pieces.clear()
        self._pace = self._place = self._stage = None
        self.ranks, self.gpus, self.host_laps, self.rank_laps = {}, {}, {}, {}

    def _observe_progress(self, progress: ProgressView, now: float) -> None:
        gap = 0.0 if self._time is None else min(LONGEST_GAP_S, max(0.0, now - self._time))
        if progress.stage in _IN_FIT and self._stage in _IN_FIT and progress.stalled_s is None:
            self.fit_s += gap
        if progress.stage == "train":
            place = _place_of(progress)
            if place != self._place:
                self._add_piece(progress, place, now)
            self.train_batch_s = progress.usual_s or self.train_batch_s
            self.epoch_batches = progress.total_batches
        self._stage = progress.stage

    def _add_piece(self, progress: ProgressView, place: float, now: float) -> None:
        done = place - self._place if self._place is not None else 0.0
        self._place = place
        if done <= 0:
            return
        self.batches += done
        if progress.step_time_s is not None and progress.data_wait_s is not None:
            self._pieces.append(_Piece(now, done, progress.step_time_s, progress.data_wait_s))
            # Measured from the newest: a long validation leaves what was known of training as it was.
            while self._pieces[0].time < now - WINDOW_S:
                self._pieces.popleft()
            self._pace = _mean_of(self._pieces)

    def _observe_ranks(self, run: RunSnapshot, progress: ProgressView, now: float) -> None:
        for rank in run.ranks:
            self.ranks.setdefault(rank.rank, RankPace()).add(rank, now)
            if rank.allocated is not None:
                self.rank_laps.setdefault(rank.rank, Laps()).add(progress.epoch, rank.allocated, now)
        for node in run.nodes:
            if node.host is not None and node.host.run_memory is not None:
                self.host_laps.setdefault(node.name, Laps()).add(progress.epoch, node.host.run_memory, now)
        for key, gpu in gpus_of(run):
            if gpu.stale_s is None and gpu.error is None:
                self.gpus.setdefault(key, GpuWatch()).add(gpu, now)


def gpus_of(run: RunSnapshot) -> Iterator[tuple[GpuKey, GpuSample]]:
    """The GPUs on which the run trains: its ranks name them, or else they hold memory of its processes."""
    uuids = {rank.device_uuid for rank in run.ranks if rank.device_uuid is not None}
    for node in run.nodes:
        for gpu in node.gpus:
            holds = any(process.ours for process in gpu.processes or ())
            if (gpu.uuid in uuids) if uuids else holds:
                yield (node.name, gpu.index, gpu.mig), gpu


def _place_of(progress: ProgressView) -> float:
    """Training batches since the beginning of the fit, or what rises with them."""
    if progress.total_batches:
        return float(progress.epoch * progress.total_batches + progress.batch)
    return float(progress.global_step)


def _mean_of(pieces: deque[_Piece]) -> WindowPace | None:
    batches = sum(piece.batches for piece in pieces)
    if not batches:
        return None
    step = sum(piece.step_s * piece.batches for piece in pieces) / batches
    wait = sum(piece.wait_s * piece.batches for piece in pieces) / batches
    first = pieces[0]
    return WindowPace(step, wait, int(batches), pieces[-1].time - first.time + first.step_s * first.batches)
