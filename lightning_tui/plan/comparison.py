"""In what do two plans differ?"""

from __future__ import annotations

from typing import Any

from lightning_tui.plan.model import FIELDS, Plan


def changed_fields(before: Plan, after: Plan) -> dict[str, tuple[Any, Any]]:
    """The fields in which two plans differ, each with both values; `None` is "as the script says"."""
    pairs = {name: (getattr(before, name), getattr(after, name)) for name in FIELDS}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
