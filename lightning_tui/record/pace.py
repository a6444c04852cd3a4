"""How fast is the fit, and when will it be done? Learnt from the events of global rank 0, by that rank's own clock."""

from __future__ import annotations

import math
from collections import deque
from typing import Literal, TypeAlias

import msgspec

from lightning_tui.record.events import CheckpointSaved, Progress, Saving, Stage

HALF_LIFE_S = 600.0
"""Training that is so long ago counts half: long enough for several epochs, short enough to follow a change."""

STALL_FACTOR = 4.0
STALL_FLOOR_S = 10.0
"""A wait is said to be a stall when it is longer than both: four usual batches, and these seconds."""
SURVIVED_FACTOR = 3.0
"""And longer than so many times the longest wait at such a place that was followed by a sign of life."""

FIRST_BATCH_S = 600.0
"""The same where no usual batch is known yet: to compile a model may take minutes."""
IDLE_FIRST_BATCH_S = 20.0
"""A first batch for which nothing is computed."""
EVALUATION_EDGE_S = 120.0
"""Before the first batch of a validation, and after its last one, where nothing is known of such a wait."""
IDLE_EVALUATION_EDGE_S = 15.0
IDLE_SETUP_S = 60.0
"""A setup in which nothing is computed; one that computes may take hours."""
SAVE_S = 600.0
"""A checkpoint that is being written."""

_REMEMBERED = 8

Spot: TypeAlias = Literal["setup", "loader", "first step", "train", "evaluation loader", "evaluation", "evaluation end"]
"""What a rank is likely to be at: waits differ by it. `loader`: a first batch of training is awaited."""


def spot_of(stage: Stage, progress: Progress | None) -> Spot | None:
    """Where a rank in this stage is that has last said this of its progress; `None` where no sign of life is due."""
    if stage in ("paused", "done"):
        return None
    if stage == "setup":
        return "setup"
    said = progress if progress is not None and progress.stage == stage else None
    if stage != "train":
        if said is None or not said.batch:
            return "evaluation loader"
        return "evaluation end" if said.total_batches and said.batch >= said.total_batches else "evaluation"
    if said is None or said.batch == said.total_batches or (not said.batch and said.batch_size is None):
        return "loader"
    return "train" if said.global_step or said.batch else "first step"


class PaceState(msgspec.Struct):
    """All that was learnt, and where the fit is; times by the clock of global rank 0's host."""

    train_s: float = 0.0
    batches: float = 0.0
    place: float | None = None
    place_time: float = 0.0
    left_out_s: float = 0.0
    stage: Stage = "setup"
    evaluation_began: float | None = None
    last_evaluation: float | None = None
    evaluations: list[float] = []
    gaps: list[float] = []
    saves: list[float] = []
    saves_seen: int = 0
    begun_at: float | None = None
    evaluated: tuple[int, float, float] | None = None
    last_heard: float | None = None
    paused_at: float | None = None
    spot: Spot | None = None
    spot_since: float = 0.0
    waits: dict[Spot, float] = {}
    is_saving: bool = False


class Pace:
    """Time of a training batch, of a validation and of a checkpoint, and how often the two latter come.

    Lightning's sanity check is not counted, nor is the time between two attempts.
    """

    def __init__(self) -> None:
        self._train_s = 0.0
        self._batches = 0.0
        self._place: float | None = None
        self._place_time = 0.0
        self._left_out_s = 0.0
        self._stage: Stage = "setup"
        self._evaluation_began: float | None = None
        self._last_evaluation: float | None = None
        self._evaluations: deque[float] = deque(maxlen=_REMEMBERED)
        self._gaps: deque[float] = deque(maxlen=_REMEMBERED)
        self._saves: deque[float] = deque(maxlen=_REMEMBERED)
        self._saves_seen = 0
        self._begun_at: float | None = None
        self._evaluated: tuple[int, float, float] | None = None
        self._paused_at: float | None = None
        self._spot: Spot | None = None
        self._spot_since = 0.0
        self._waits: dict[Spot, float] = {}
        self._is_saving = False
        self.last_heard: float | None = None
        """When rank 0 last said that something went on, by its own clock."""

    def state(self) -> PaceState:
        """All of it, to be stored."""
        values = {name: getattr(self, f"_{name}") for name in PaceState.__struct_fields__ if name != "last_heard"}
        lists = {name: list(value) for name, value in values.items() if isinstance(value, deque)}
        return PaceState(**{**values, **lists}, last_heard=self.last_heard)

    @classmethod
    def restored(cls, state: PaceState) -> Pace:
        """What was stored."""
        pace = cls()
        for name in PaceState.__struct_fields__:
            value = getattr(state, name)
            setattr(
                pace,
                name if name == "last_heard" else f"_{name}",
                deque(value, maxlen=_REMEMBERED) if isinstance(value, list) else value,
            )
        return pace

    def restarts(self) -> None:
        """Another attempt begins: what was learnt stays, the time until its first batch belongs to nothing."""
        self._place = self._last_evaluation = self._begun_at = self._evaluation_began = self._paused_at = None
        self._left_out_s, self._saves_seen, self.last_heard = 0.0, 0, None
        self._stage, self._spot, self._is_saving = "setup", None, False

    def enters(self, stage: Stage, time: float) -> None:
        """The rank entered a stage."""
        self._hears(time, spot_of(stage, None))
        if stage == "paused":
            self._paused_at = time
            return
        if self._paused_at is not None:
            self._resumes(max(0.0, time - self._paused_at))
        if stage == "validate" and self._stage == "train":
            self._evaluation_begins(time)
        elif stage == "train" and self._stage == "validate":
            self._evaluation_ends(time)
        self._stage, self._evaluated = stage, None

    def progresses(self, event: Progress) -> None:
        """The rank said how far it is."""
        if event.stage != self._stage or self._paused_at is not None:
            self.enters(event.stage, event.time)
        self._hears(event.time, spot_of(event.stage, event))
        if event.stage == "train":
            self._train_to(place_of(event), event.time)
        elif event.batch and (self._evaluated is None or event.batch > self._evaluated[0]):
            since = self._evaluated[1] if self._evaluated is not None else self._evaluation_began
            per_batch = (event.time - since) / event.batch if since is not None else math.nan
            self._evaluated = (event.batch, since if since is not None else event.time, per_batch)

    def saves(self, event: Saving) -> None:
        """A checkpoint is being written, or that is over."""
        self.last_heard, self._is_saving = event.time, not event.is_over

    def saved(self, event: CheckpointSaved) -> None:
        """A checkpoint was saved."""
        if event.seconds is not None and self._place is not None:
            self._saves.append(event.seconds)
            self._saves_seen += 1
            if self._stage == "train" and self._paused_at is None:
                self._left_out_s += event.seconds

    @property
    def is_saving(self) -> bool:
        """Whether a checkpoint is being written: all ranks wait for it."""
        return self._is_saving

    @property
    def batch_s(self) -> float | None:
        """Usual wall time of a training batch, with all that goes on between batches."""
        return self._train_s / self._batches if self._batches else None

    @property
    def validation_s(self) -> float | None:
        """Usual time of one validation."""
        return _mean(self._evaluations)

    def usual_s(self) -> float | None:
        """Usual time between two signs of life in the present stage."""
        if self._stage == "train":
            return self.batch_s
        if self._stage == "validate" and self._evaluated is not None and not math.isnan(self._evaluated[2]):
            return self._evaluated[2]
        return None

    def patience_s(self, spot: Spot, *, is_idle: bool = False) -> float:
        """How long a rank may say nothing at this place; `is_idle`: the run's processes compute nothing meanwhile."""
        if spot == "train" and self._place in (None, self._begun_at):  # however far an attempt before has come
            spot = "first step"
        usual, longest = self._usual_at(spot), self._waits.get(spot)
        known = [STALL_FLOOR_S]
        if usual is not None:
            known.append(STALL_FACTOR * usual)
        if longest is not None:
            known.append(SURVIVED_FACTOR * longest)
        if self._is_saving:
            known.append(SAVE_S)
        elif longest is None or spot == "setup":
            known.append(_unknown_s(spot, usual, is_idle=is_idle))
        return max(known)

    def stalled_s(self, now: float, *, is_idle: bool = False) -> float | None:
        """How long nothing has come, where that is far more than usual. `now` by the clock of the rank's host."""
        if self.last_heard is None or self._paused_at is not None or self._spot is None:
            return None
        silence = now - self.last_heard
        return silence if silence > self.patience_s(self._spot, is_idle=is_idle) else None

    def _usual_at(self, spot: Spot) -> float | None:
        """Usual time of a batch; of an evaluation's one that has none yet, that of training is the best guess."""
        if spot == "evaluation" and self._evaluated is not None and not math.isnan(self._evaluated[2]):
            return self._evaluated[2]
        return None if spot in ("setup", "first step") else self.batch_s

    def _hears(self, time: float, spot: Spot | None) -> None:
        """Learn from a wait that is over. What began an attempt is not learnt from: it compiles, and may be asleep."""
        is_over = spot in _STEADY or spot != self._spot
        if is_over and self._spot not in (None, "setup", "first step") and self._paused_at is None:
            fade, most = (0.999, 200.0) if self._spot in _STEADY else (0.8, 1200.0)
            waited = min(most, time - self._spot_since)  # a machine that slept meanwhile teaches nothing
            self._waits[self._spot] = max(waited, fade * self._waits.get(self._spot, 0.0))
        self.last_heard, self._spot = time, spot
        self._spot_since = time if is_over else self._spot_since

    def time_left(self, event: Progress, fraction: float | None) -> float | None:
        """Seconds that are left of the fit of which this fraction is done: training, validations and checkpoints."""
        if fraction is None or self._place is None or not self._place or fraction <= 0 or self.batch_s is None:
            return None
        batches = self._place * (1 / fraction - 1)
        return batches * self.batch_s + self._validations_left(batches, event) + self._saves_left(batches)

    def _resumes(self, paused_s: float) -> None:
        """The pause belongs to nothing."""
        self._paused_at = None
        self._left_out_s += paused_s if self._stage == "train" else 0.0
        if self._evaluation_began is not None:
            self._evaluation_began += paused_s

    def _train_to(self, place: float, time: float) -> None:
        if self._begun_at is None:
            self._begun_at = place
        if self._place is not None and place > self._place:
            seconds = max(0.0, time - self._place_time - self._left_out_s)
            fade = 0.5 ** (seconds / HALF_LIFE_S)
            self._train_s = self._train_s * fade + seconds
            self._batches = self._batches * fade + (place - self._place)
        elif place == self._place:  # what passes meanwhile belongs to the next batch
            return
        self._place, self._place_time, self._left_out_s = place, time, 0.0

    def _evaluation_begins(self, time: float) -> None:
        self._evaluation_began = time
        here = self._place
        before = self._last_evaluation if self._last_evaluation is not None else self._begun_at
        if here is not None and before is not None and here > before:
            self._gaps.append(here - before)
        self._last_evaluation = here

    def _evaluation_ends(self, time: float) -> None:
        if self._evaluation_began is not None:
            took = max(0.0, time - self._evaluation_began)
            self._evaluations.append(took)
            self._left_out_s += took
        self._evaluation_began = None

    def _validations_left(self, batches: float, event: Progress) -> float:
        gap, usual = _mean(self._gaps), self.validation_s
        now = self._rest_of_this_one(event, usual)
        if gap is None or usual is None or self._place is None:
            return now
        since = self._place - (self._last_evaluation if self._last_evaluation is not None else self._begun_at or 0.0)
        return now + math.floor((since + batches) / gap + 1e-6) * usual

    def _rest_of_this_one(self, event: Progress, usual: float | None) -> float:
        if self._stage != "validate" or self._evaluated is None:
            return usual or 0.0 if self._stage == "validate" else 0.0
        done, _, per_batch = self._evaluated
        if event.total_batches and not math.isnan(per_batch):
            return max(0, event.total_batches - done) * per_batch
        return 0.0

    def _saves_left(self, batches: float) -> float:
        seconds = _mean(self._saves)
        done = self._place - self._begun_at if self._place is not None and self._begun_at is not None else 0.0
        if seconds is None or done <= 0:
            return 0.0
        return batches * self._saves_seen / done * seconds


def place_of(event: Progress) -> float:
    """Training batches since the beginning of the fit; steps where the length of an epoch is not known."""
    if event.total_batches:
        return float(event.epoch * event.total_batches + event.batch)
    return float(event.global_step)


def epochs_of(event: Progress) -> float:
    """Epochs since the beginning of the fit: 2.5 is half of the third."""
    share = event.batch / event.total_batches if event.total_batches else 0.0
    return event.epoch + min(1.0, share)


_STEADY = ("train", "evaluation")
"""Where signs of life are many: each further one lets the longest wait before it fade, but only a little."""


def _unknown_s(spot: Spot, usual: float | None, *, is_idle: bool) -> float:
    """Patience at a place where nobody has waited yet."""
    if spot == "setup":
        return IDLE_SETUP_S if is_idle else math.inf
    if spot in _STEADY and usual is not None:
        return 0.0
    if spot.startswith("evaluation"):
        return IDLE_EVALUATION_EDGE_S if is_idle else EVALUATION_EDGE_S
    return IDLE_FIRST_BATCH_S if is_idle else FIRST_BATCH_S


def _mean(values: deque[float]) -> float | None:
    return sum(values) / len(values) if values else None
