"""Plans in files."""

from __future__ import annotations

import sys
from pathlib import Path

from lightning_tui.plan.model import Plan, PlanError, plan_from_mapping

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


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
