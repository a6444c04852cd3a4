"""Asks the rules as a run goes on, and tells each advice once: no sooner than it has held, and not at every flicker."""

from __future__ import annotations

from collections.abc import Container, Iterator

import msgspec

from lightning_tui.diagnosis.live.model import NOTHING, ORDER, Advice, Around
from lightning_tui.diagnosis.live.observations import Observations
from lightning_tui.diagnosis.live.rule_input import RuleInput
from lightning_tui.diagnosis.live.rules import AT_ANY_TIME, WHILE_IT_TRAINS
from lightning_tui.diagnosis.live.rules.speed import LEAST_WAIT_S, WAIT_SHARE, judged_pace
from lightning_tui.diagnosis.model import Diagnosis
from lightning_tui.diagnosis.templates import plain
from lightning_tui.record import RunSnapshot, RunState
from lightning_tui.text.safe import harmless

HOLD_S = 5.0
"""So long a finding must hold before it is told; what was logged or printed is told at once."""
GONE_S = 30.0
"""So long it must be absent before it counts as past."""
REFRESH_S = 15.0
"""Its numbers are brought up to date so often: nothing on the screen moves without news."""
MOST = 40
"""Advice that is kept at most (a cluster may have a hundred hot GPUs)."""

MEANINGFUL_SHARE = 0.10
"""Share of a step that waits for data below which more workers would change nothing, whatever Lightning warns of."""
WORKERS_WARNING = "dataloader-workers-warning"
_GRAVE_WARNINGS = frozenset({"sync-dist-warning", "training-step-none-warning", "val-loop-skipped-warning"})
"""Those that make results wrong; the others cost time."""


class Adviser:
    """What there is to advise on one run. Used by one thread; what it costs does not grow with the run."""

    def __init__(self) -> None:
        self._seen = Observations()
        self._candidates: dict[str, float] = {}
        """Since when findings hold that are not told yet."""
        self._given: dict[str, Advice] = {}
        self._missing: dict[str, float] = {}
        """Since when told advice does not hold."""
        self._refreshed: dict[str, float] = {}
        self._warnings: dict[str, Diagnosis] = {}
        self._warned_at: dict[str, float] = {}
        self._advice: tuple[Advice, ...] = ()

    @property
    def advice(self) -> tuple[Advice, ...]:
        """All that was told, the gravest first, then by time; the same object as long as nothing changes."""
        return self._advice

    def update(self, run: RunSnapshot, now: float, around: Around = NOTHING) -> tuple[Advice, ...]:
        """Take the next look at the run; `now` is UTC epoch seconds and does not fall."""
        self._seen.observe(run, now, around)
        for warning in around.warnings:
            self._warnings.setdefault(warning.category, warning)
            self._warned_at.setdefault(warning.category, now)
        is_live = run.state in (RunState.TRAINING, RunState.VALIDATING)
        held = frozenset(name for name, advice in self._given.items() if advice.until is None)
        moment = RuleInput(run, now, self._seen, held)
        at_once = {advice.id: advice for rule in AT_ANY_TIME for advice in rule(moment)}
        at_once |= {advice.id: advice for advice in self._printed(moment)}
        measured = {advice.id: advice for rule in WHILE_IT_TRAINS for advice in rule(moment)} if is_live else {}
        self._publish({**measured, **at_once}, now, at_once=at_once, is_live=is_live)
        return self._advice

    def _printed(self, moment: RuleInput) -> Iterator[Advice]:
        """Warnings of Lightning and PyTorch, unless this run's own numbers say that they do not matter."""
        for category, warning in self._warnings.items():
            if category == WORKERS_WARNING and not self._workers_matter(moment, warning):
                continue
            yield Advice(
                id=category,
                severity="warning" if category in _GRAVE_WARNINGS else "hint",
                title=warning.title,
                cause=f"{warning.cause} The output says: {warning.evidence.text}",
                suggestions=warning.suggestions,
                rank=warning.rank,
                since=self._warned_at[category],
            )

    def _workers_matter(self, moment: RuleInput, warning: Diagnosis) -> bool:
        """Too few workers matter where data is waited for, and are then told with numbers from `WAIT_SHARE` on."""
        if "bottleneck" not in warning.evidence.text:
            return True
        pace = judged_pace(moment)
        if pace is None or pace.wait_s < LEAST_WAIT_S or "data-loading" in self._given:
            return False
        return MEANINGFUL_SHARE <= pace.share < WAIT_SHARE

    def _publish(self, found: dict[str, Advice], now: float, *, at_once: Container[str], is_live: bool) -> None:
        before = dict(self._given)
        for name, advice in found.items():
            since = self._candidates.setdefault(name, now)
            if name in self._given:
                self._go_on(name, advice, now)
            elif (name in at_once or now - since >= HOLD_S) and len(self._given) < MOST:
                self._given[name] = _safe(advice, advice.since or since)
                self._refreshed[name] = now
        self._candidates = {name: since for name, since in self._candidates.items() if name in found}
        if is_live:
            self._let_go(found, now)
        if self._given != before:
            self._advice = tuple(sorted(self._given.values(), key=_order))

    def _go_on(self, name: str, advice: Advice, now: float) -> None:
        self._missing.pop(name, None)
        known = self._given[name]
        if known.until is not None or now - self._refreshed[name] >= REFRESH_S or advice.severity != known.severity:
            self._refreshed[name] = now
            self._given[name] = _safe(advice, known.since)

    def _let_go(self, found: dict[str, Advice], now: float) -> None:
        for name, known in self._given.items():
            if name not in found and known.until is None:
                missing_since = self._missing.setdefault(name, now)
                if now - missing_since >= GONE_S:
                    self._given[name] = msgspec.structs.replace(known, until=missing_since)


def _safe(advice: Advice, since: float) -> Advice:
    """Names of metrics, hosts and files are text of programs."""
    return msgspec.structs.replace(
        advice, title=plain(advice.title), cause=harmless(advice.cause, mark=" "), since=since
    )


def _order(advice: Advice) -> tuple[bool, int, float, str]:
    return advice.until is not None, ORDER.index(advice.severity), advice.since, advice.id
