"""Does the run stand still? Said at once, with the rank and the place where it does."""

from __future__ import annotations

from collections.abc import Iterator

from lightning_tui.diagnosis.live.model import Advice
from lightning_tui.diagnosis.live.rule_input import RuleInput
from lightning_tui.diagnosis.model import Suggestion


def stands_still(moment: RuleInput) -> Iterator[Advice]:
    """Nothing has come for far longer than usual, or ranks wait for each other at different places."""
    still = moment.run.standstill
    if still is None or moment.run.is_over or not moment.run.ranks_alive:
        return
    yield Advice(
        id="standstill",
        severity="error" if still.kind == "left" else "warning",
        title="A rank has left, and the others wait for it" if still.kind == "left" else "Nothing moves any more",
        cause=f"{still.words[:1].upper()}{still.words[1:]}. It is said from {still.limit_s:.0f} s on.",
        suggestions=(
            Suggestion(text=f"Look at what rank {still.rank} does: `py-spy dump --pid PID`."),
            Suggestion(text="Stop it and go on from the newest checkpoint: nothing trains while it waits."),
        ),
        rank=still.rank,
        step=still.global_step,
    )


STANDSTILL_RULES = (stands_still,)
