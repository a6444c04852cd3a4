"""Where a plan comes from besides flags: presets, and files."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from lightning_tui.plan.model import Plan, PlanError, plan_from_mapping

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PRESETS: Mapping[str, Plan] = MappingProxyType(
    {
        "lightning_cloud": Plan(
            accelerator="gpu", devices="auto", strategy="ddp_notebook", precision="16-mixed", max_epochs=100
        ),
        "lightning_compute": Plan(
            accelerator="gpu", devices=-1, strategy="ddp", precision="bf16-mixed", max_epochs=1000
        ),
    }
)
"""Plans by name: for Lightning's interactive machines, and for its compute nodes."""


def preset(name: str) -> Plan:
    """Return a preset.

    Raises:
        PlanError: there is none of that name.
    """
    if name in PRESETS:
        return PRESETS[name]
    near = difflib.get_close_matches(name, PRESETS, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise PlanError(f"There is no preset {name!r}.{hint} Presets: {', '.join(PRESETS)}.")


def read_plan_file(path: Path) -> Plan:
    """Read a plan from a TOML file of lines such as `strategy = "ddp"`.

    Raises:
        PlanError: the file cannot be read, is no TOML, or says what no plan can mean.
    """
    try:
        with path.open("rb") as file:
            values = tomllib.load(file)
    except OSError as error:
        raise PlanError(f"The plan file {path} cannot be read: {error.strerror or error}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PlanError(f"The plan file {path} is not valid TOML: {error}.") from error
    try:
        return plan_from_mapping(values)
    except PlanError as error:
        raise PlanError(f"The plan file {path}: {error}") from error
