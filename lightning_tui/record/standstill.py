"""Does a run stand still, and at which rank? Told from what each rank has said last, by the clock of its own node."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

import msgspec

from lightning_tui.record.events import Progress, Sampled, Stage
from lightning_tui.record.pace import Pace, spot_of

Kind: TypeAlias = Literal["left", "apart", "silent"]
"""`left`: a rank has left the others; `apart`: ranks wait at different places; `silent`: nothing comes."""

LEFT_S = 4.0
"""So long the others must have been silent since a rank left, before it is said that they wait for it."""
APART_S = 5.0
"""The same where ranks are at different places and none computes anything."""
IDLE_PERCENT = 3.0
"""What a process that only waits may take of one CPU."""
IDLE_S = 3.0
_SLEPT_S = 10.0
"""Samples come once a second: a longer gap is one of the clock, of a machine that slept, or of the record."""
_FLUSH_LAG_S = 1.5
"""How far a rank may be beyond what it has said: ranks write what they have done a few times a second."""

STAGE_WORDS: dict[str, str] = {
    "setup": "setup",
    "sanity_check": "the sanity check",
    "train": "training",
    "validate": "validation",
    "test": "the test",
    "predict": "prediction",
    "done": "no fit any more",
}


class Standstill(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run stands still, since when, and what that is judged by. Times in seconds."""

    kind: Kind
    rank: int
    """The rank to look at: the one that left, or that is furthest behind."""
    stage: Stage | None
    """Where it is or was; `None` where it has not come to a Trainer."""
    global_step: int | None
    silent_s: float
    """How long no rank that is waited for has said anything."""
    limit_s: float
    """From when on that is said."""
    words: str
    """One sentence."""


class NodeClock:
    """The time of a node as its supervisor tells it, without gaps in which nobody could have said anything."""

    def __init__(self) -> None:
        self.now: float | None = None
        self._gaps: deque[tuple[float, float]] = deque(maxlen=16)
        self._busy_at: float | None = None

    def take(self, event: Sampled) -> None:
        """Go on to the time of a sample."""
        if self.now is not None and event.time - self.now > _SLEPT_S:
            self._gaps.append((self.now, event.time - self.now))
            self._busy_at = event.time
        percent = event.host.run_cpu_percent
        if self._busy_at is None or percent is None or percent > IDLE_PERCENT:
            self._busy_at = event.time
        self.now = event.time

    def since(self, time: float) -> float:
        """Seconds from a time of this node to now."""
        if self.now is None:
            return 0.0
        return self.now - time - sum(seconds for begun, seconds in self._gaps if begun >= time - _SLEPT_S)

    @property
    def is_idle(self) -> bool:
        """Whether the run's processes there have computed nothing for a while; false where that is not known."""
        return self.now is not None and self._busy_at is not None and self.now - self._busy_at >= IDLE_S


class RankPosition(NamedTuple):
    """Where a rank is, as far as it has said."""

    rank: int
    stage: Stage | None
    """`None` where it has not come to a Trainer."""
    global_step: int | None
    progress: Progress | None
    silent_s: float
    left: str = ""
    """How it left, in words; empty where it is there."""
    left_s: float = 0.0
    """How long ago that was."""

    @property
    def is_waiting(self) -> bool:
        """Whether a sign of life is due."""
        return not self.left and self.stage not in ("paused", "done")

    @property
    def is_before_evaluating(self) -> bool:
        """Whether it evaluates and has not told of a batch; the first one of an evaluation is told at once."""
        return self.stage is not None and spot_of(self.stage, self.progress) == "evaluation loader"

    @property
    def place(self) -> str:
        """Where it is, in words."""
        if self.stage is None:
            return "not in a Trainer yet"
        at_step = f" near step {self.global_step}" if self.global_step and self.stage != "done" else ""
        before = ", before its first batch" if self.is_before_evaluating else ""
        return f"in {STAGE_WORDS.get(self.stage, self.stage)}{at_step}{before}"


def standstill_of(ranks: Sequence[RankPosition], pace: Pace, *, is_idle: bool) -> Standstill | None:
    """Find out whether the ranks stand still; `None` where they move, or where it is too early to say."""
    there = [rank for rank in ranks if rank.is_waiting]
    if not there or any(rank.stage == "paused" for rank in ranks):
        return None
    if pace.is_saving:
        return _silent(there[0], pace, is_idle=is_idle)
    return (
        _left(ranks, there, pace, is_idle=is_idle)
        or _apart(ranks, there, pace, is_idle=is_idle)
        or _silent(there[0], pace, is_idle=is_idle)
    )


def _left(ranks: Sequence[RankPosition], there: list[RankPosition], pace: Pace, *, is_idle: bool) -> Standstill | None:
    gone = [rank for rank in ranks if rank.left and rank.stage != "done"]
    if not gone:
        return None
    first = max(gone, key=lambda rank: rank.left_s)
    waited = min(first.left_s, *(rank.silent_s for rank in there))
    limit = max(LEFT_S, 2 * (pace.usual_s() or 0.0))
    if waited <= limit:
        return None
    has_trained = any(rank.stage == "train" or rank.global_step for rank in there)
    if not has_trained and not is_idle:  # they prepare something, each by itself
        return None
    when = "before the fit began" if first.stage in (None, "setup") else f"{first.place}"
    words = f"rank {first.rank} {first.left} {when}, and {_names(there)} for it: nothing for {_span(waited)}"
    return _found("left", first, waited, limit, words)


def _apart(ranks: Sequence[RankPosition], there: list[RankPosition], pace: Pace, *, is_idle: bool) -> Standstill | None:
    """Ranks that wait at different places wait for each other; so does one that is far behind, while others go on."""
    if len(ranks) < 2 or len(there) < 1:
        return None
    is_in_fit = any(rank.stage in ("train", "validate") for rank in there)
    met = [rank for rank in ranks if rank.is_waiting or (rank.stage == "done" and not rank.left and is_in_fit)]
    behind = min(met, key=_how_far)
    if not _differ(met, pace):
        return None
    limit = max(APART_S, 2 * (pace.usual_s() or 0.0)) if is_idle else max(_patience(rank, pace) for rank in there)
    silent = min(rank.silent_s for rank in there)
    if silent > limit:
        behind = _odd_one(met, behind)
        others = [rank for rank in met if rank.rank != behind.rank]
        words = f"rank {behind.rank} is {behind.place}, {_others(others)}; nothing moves for {_span(silent)}"
        return _found("apart", behind, silent, limit, words)
    limit = _patience(behind, pace)
    if behind.stage == "train" and behind.silent_s > limit and _is_behind(behind, met, pace):
        words = f"rank {behind.rank} says nothing for {_span(behind.silent_s)} {behind.place}, while the others go on"
        return _found("apart", behind, behind.silent_s, limit, words)
    return None


def _silent(rank: RankPosition, pace: Pace, *, is_idle: bool) -> Standstill | None:
    spot = spot_of(rank.stage, rank.progress) if rank.stage is not None else None
    if spot is None:
        return None
    limit = pace.patience_s(spot, is_idle=is_idle)
    if rank.silent_s <= limit:
        return None
    said = {
        "setup": f"setup has taken {_span(rank.silent_s)}, and its processes compute nothing",
        "loader": f"training waits for its first batch for {_span(rank.silent_s)}",
        "first step": f"training has not come through its first step for {_span(rank.silent_s)}",
        "train": f"no step for {_span(rank.silent_s)}, {rank.place}",
        "evaluation loader": f"no batch for {_span(rank.silent_s)}, {rank.place}",
        "evaluation": f"no batch for {_span(rank.silent_s)}, {rank.place}",
        "evaluation end": f"nothing for {_span(rank.silent_s)} after the last batch, {rank.place}",
    }
    return _found("silent", rank, rank.silent_s, limit, said[spot])


def _found(kind: Kind, rank: RankPosition, silent_s: float, limit_s: float, words: str) -> Standstill:
    return Standstill(
        kind=kind,
        rank=rank.rank,
        stage=rank.stage,
        global_step=rank.global_step,
        silent_s=silent_s,
        limit_s=limit_s,
        words=words,
    )


def _patience(rank: RankPosition, pace: Pace) -> float:
    spot = spot_of(rank.stage, rank.progress) if rank.stage is not None else "setup"
    return 0.0 if spot is None else pace.patience_s(spot)


def _differ(ranks: Sequence[RankPosition], pace: Pace) -> bool:
    """Whether they are at different places: in other stages, or further apart in steps than what is unsaid."""
    if len({(rank.stage, rank.is_before_evaluating) for rank in ranks}) > 1:
        return True
    return any(_is_behind(rank, ranks, pace) for rank in ranks)


def _how_far(rank: RankPosition) -> tuple[bool, int, bool]:
    return rank.stage not in (None, "setup"), rank.global_step or 0, not rank.is_before_evaluating


def _is_behind(rank: RankPosition, ranks: Sequence[RankPosition], pace: Pace) -> bool:
    ahead = max(each.global_step or 0 for each in ranks) - (rank.global_step or 0)
    return ahead > 1 + (_FLUSH_LAG_S / pace.batch_s if pace.batch_s else 0)


def _odd_one(ranks: Sequence[RankPosition], behind: RankPosition) -> RankPosition:
    """The one that is in another stage than most; else the one that is furthest behind."""
    stages = Counter(rank.stage for rank in ranks)
    rarest = [rank for rank in ranks if stages[rank.stage] == 1]
    return rarest[0] if len(rarest) == 1 and len(ranks) > 2 else behind


def _others(ranks: Sequence[RankPosition]) -> str:
    places = {rank.place for rank in ranks}
    if len(ranks) == 1:
        return f"rank {ranks[0].rank} {ranks[0].place}"
    return f"the others {places.pop()}" if len(places) == 1 else "the others are elsewhere"


def _names(ranks: Sequence[RankPosition]) -> str:
    return f"rank {ranks[0].rank} waits" if len(ranks) == 1 else "the others wait"


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
