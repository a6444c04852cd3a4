"""Which plan do the flags mean, and what would it find here?"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lightning_tui.cli.arguments import interpreter_of, settings_of
from lightning_tui.plan import Plan, PlanError
from lightning_tui.plan.fields import FLAGS

if TYPE_CHECKING:
    from lightning_tui.environment import Environment


def plan_of(arguments: argparse.Namespace) -> Plan:
    """Build the plan: flag over `--set` over plan file over preset.

    Raises:
        PlanError: a value that cannot be meant, or no such preset or file.
        SettingsError: the settings or `--python` are broken (only looked at for the preset `recommended`).
    """
    from lightning_tui.plan import read_plan_file

    plan = _preset(arguments) if arguments.preset else Plan()
    if arguments.plan:
        plan = msgspec.structs.replace(plan, **read_plan_file(arguments.plan).changes())
    for assignment in arguments.set:
        name, equals, value = assignment.partition("=")
        if not equals:
            raise PlanError(f"--set {assignment}: allowed is FIELD=VALUE, such as --set batch_size=32.")
        plan = plan.with_field(name, value)
    for name in FLAGS:
        text = getattr(arguments, name)
        if text is not None:
            plan = plan.with_field(name, text)
    return plan


def environment_of(arguments: argparse.Namespace, interpreter: Path, folder: Path) -> Environment:
    """Look at this machine, and ask the interpreter what it has installed."""
    from lightning_tui.environment import inspect_environment, probe_software, with_software

    settings = settings_of(arguments)
    environment = inspect_environment(os.environ, runs_home=settings.runs_home, folder=folder)
    return with_software(environment, probe_software(interpreter))


def _preset(arguments: argparse.Namespace) -> Plan:
    from lightning_tui.plan import RECOMMENDED, preset

    if arguments.preset != RECOMMENDED:
        return preset(arguments.preset)
    interpreter, _ = interpreter_of(arguments)
    return preset(RECOMMENDED, environment_of(arguments, interpreter, Path.cwd()))
