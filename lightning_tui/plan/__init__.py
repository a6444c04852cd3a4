"""How shall a program run? The plan, what can stand in it on this machine and why, and what is refused beforehand.

The names below are imported when they are first used: the cockpit's first frame needs the plan alone.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lightning_tui.plan.catalog import (
        KNOWN_STRATEGIES,
        Choice,
        MachineFacts,
        machine_facts,
        precision_choices,
        strategy_choices,
    )
    from lightning_tui.plan.checks import check_plan
    from lightning_tui.plan.model import FIELDS, PRECISIONS, Plan, PlanError, plan_from_mapping
    from lightning_tui.plan.registered import registered_strategies
    from lightning_tui.plan.sources import PRESETS, preset, read_plan_file

__all__ = [
    "FIELDS",
    "KNOWN_STRATEGIES",
    "PRECISIONS",
    "PRESETS",
    "Choice",
    "MachineFacts",
    "Plan",
    "PlanError",
    "check_plan",
    "machine_facts",
    "plan_from_mapping",
    "precision_choices",
    "preset",
    "read_plan_file",
    "registered_strategies",
    "strategy_choices",
]

_MODULES = ("model", "catalog", "checks", "registered", "sources")


def __getattr__(name: str) -> object:
    if name in __all__:
        for module in _MODULES:
            found = vars(import_module(f"{__name__}.{module}"))
            if name in found:
                return found[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
