"""Which plan do the flags mean?"""

from __future__ import annotations

import argparse
import os

import msgspec

from lightning_tui.cli.arguments import interpreter_of, settings_of
from lightning_tui.plan import Plan, PlanError
from lightning_tui.plan.fields import FLAGS


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


def _preset(arguments: argparse.Namespace) -> Plan:
    from lightning_tui.plan import RECOMMENDED, preset
    from lightning_tui.services.machine import inspect_machine

    if arguments.preset != RECOMMENDED:
        return preset(arguments.preset)
    interpreter, _ = interpreter_of(arguments)
    return preset(RECOMMENDED, inspect_machine(settings_of(arguments), os.environ, interpreter))
