"""Advice for tests and pictures: what the real rules say of an invented run."""

from __future__ import annotations

import functools
import random

from lightning_tui.diagnosis.live import Advice
from lightning_tui.record import RunSnapshot
from tests.diagnosis.live.story import GIB, Story


class FakeAdvice:
    """Says the same of every run."""

    def __init__(self, *advice: Advice) -> None:
        self.advice = advice

    def look(self, run: RunSnapshot, now: float) -> tuple[Advice, ...]:
        return self.advice


@functools.cache
def much_to_advise() -> tuple[Advice, ...]:
    """Four ranks that wait for data, one more than the others; long validations, one hot GPU, no checkpoints."""
    chance = random.Random(4)
    story = Story(
        ranks=4, gpus=4, step_s=0.041, wait_s=0.017, ranks_wait_s={2: 0.028}, load=61.0, batches=60, epochs=400,
        validation_s=5.2, saves=False, disk_free=400 * GIB,
        facts={"num_workers": 2, "pin_memory": False, "enable_checkpointing": False, "gradient_clip_val": None},
        loss=lambda step: (2.9 if 1500 < step < 1530 else 1.3) + chance.gauss(0, 0.05),
    )  # fmt: skip
    story.train(200)
    return story.adviser.advice
