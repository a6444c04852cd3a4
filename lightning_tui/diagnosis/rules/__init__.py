"""All rules: one module for each family, loaded when the first diagnosis is asked for."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from lightning_tui.diagnosis.model import Rule

FAMILIES = (
    "gpu",
    "drivers",
    "distributed",
    "processes",
    "data",
    "training",
    "trainer",
    "checkpoints",
    "software",
    "storage",
    "warnings",
)


@cache
def all_rules() -> tuple[Rule, ...]:
    """The rules of all families, in their order."""
    return tuple(rule for name in FAMILIES for rule in import_module(f"{__name__}.{name}").RULES)


@cache
def rules_by_category() -> dict[str, Rule]:
    """The one rule of each category."""
    return {rule.category: rule for rule in all_rules()}
