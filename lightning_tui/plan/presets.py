"""Plans by name: two as they stand for Lightning's machines, and one that is worked out for the machine at hand."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from lightning_tui.plan.model import Plan, PlanError

if TYPE_CHECKING:
    from lightning_tui.environment import Environment

PRESETS: Mapping[str, Plan] = MappingProxyType(
    {
        "lightning_cloud": Plan(
            accelerator="gpu",
            devices="auto",
            strategy="ddp_notebook",
            precision="16-mixed",
            max_epochs=100,
            enable_checkpointing=True,
        ),
        "lightning_compute": Plan(
            accelerator="gpu",
            devices=-1,
            strategy="ddp",
            precision="bf16-mixed",
            max_epochs=1000,
            enable_checkpointing=True,
        ),
    }
)
"""For Lightning's interactive machines, and for its compute nodes. Progress is drawn by the cockpit itself."""

RECOMMENDED = "recommended"
PRESET_NAMES = (RECOMMENDED, *PRESETS)


def preset(name: str, environment: Environment | None = None) -> Plan:
    """Return a preset; `recommended` is worked out from the environment that the training will find.

    Raises:
        PlanError: there is none of that name, or `recommended` is asked for without an environment.
    """
    if name in PRESETS:
        return PRESETS[name]
    if name == RECOMMENDED and environment is not None:
        from lightning_tui.plan.facts import machine_facts
        from lightning_tui.plan.recommended import recommend

        return recommend(machine_facts(environment), environment).plan
    if name == RECOMMENDED:
        raise PlanError(f"The preset {name!r} depends on the machine, which has not been inspected.")
    near = difflib.get_close_matches(name, PRESET_NAMES, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise PlanError(f"No preset is called {name!r}.{hint} Presets: {', '.join(PRESET_NAMES)}.")
