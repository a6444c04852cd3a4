"""How shall a program run? The plan, what can stand in it on this machine and why, and what is refused beforehand.

The names below are imported when they are first used: the cockpit's first frame needs the plan alone.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lightning_tui.plan.catalog import KNOWN_STRATEGIES, Choice, precision_choices, strategy_choices
    from lightning_tui.plan.checks import check_plan, find_obstacles
    from lightning_tui.plan.export import as_command, as_plain_command, as_python, as_yaml
    from lightning_tui.plan.facts import MachineFacts, facts_under, machine_facts
    from lightning_tui.plan.model import FIELDS, PRECISIONS, Plan, PlanError, plan_from_mapping
    from lightning_tui.plan.presets import PRESETS, RECOMMENDED, preset
    from lightning_tui.plan.recommended import Recommendation, recommend
    from lightning_tui.plan.registered import registered_strategies
    from lightning_tui.plan.sources import read_plan_file

__all__ = [
    "FIELDS",
    "KNOWN_STRATEGIES",
    "PRECISIONS",
    "PRESETS",
    "RECOMMENDED",
    "Choice",
    "MachineFacts",
    "Plan",
    "PlanError",
    "Recommendation",
    "as_command",
    "as_plain_command",
    "as_python",
    "as_yaml",
    "check_plan",
    "facts_under",
    "find_obstacles",
    "machine_facts",
    "plan_from_mapping",
    "precision_choices",
    "preset",
    "read_plan_file",
    "recommend",
    "registered_strategies",
    "strategy_choices",
]

_MODULES = (
    "model",
    "catalog",
    "checks",
    "registered",
    "sources",
    "facts",
    "presets",
    "recommended",
    "export",
)


def __getattr__(name: str) -> object:
    if name in __all__:
        for module in _MODULES:
            found = vars(import_module(f"{__name__}.{module}"))
            if name in found:
                return found[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
