"""All rules of advice: each looks at one moment and says what it finds, with the numbers of the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lightning_tui.diagnosis.live.model import Advice
from lightning_tui.diagnosis.live.rule_input import RuleInput
from lightning_tui.diagnosis.live.rules.checkpoints import DISK_RULES, NO_CHECKPOINT_RULES
from lightning_tui.diagnosis.live.rules.gpus import GPU_RULES
from lightning_tui.diagnosis.live.rules.growth import GROWTH_RULES
from lightning_tui.diagnosis.live.rules.speed import SPEED_RULES
from lightning_tui.diagnosis.live.rules.standstill import STANDSTILL_RULES
from lightning_tui.diagnosis.live.rules.values import VALUE_RULES

LiveRule = Callable[[RuleInput], Iterator[Advice]]

WHILE_IT_TRAINS: tuple[LiveRule, ...] = (
    *SPEED_RULES,
    *GPU_RULES,
    *GROWTH_RULES,
    *NO_CHECKPOINT_RULES,
    *DISK_RULES,
)
"""Asked only while the run trains or validates: what they measure means nothing else."""
AT_ANY_TIME: tuple[LiveRule, ...] = (*VALUE_RULES, *STANDSTILL_RULES)
"""What was logged stays true, and a run may stand still before it trains."""
