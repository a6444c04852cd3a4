"""What parsed arguments mean: the settings, the program and the plan that they ask for."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from lightning_tui.settings import Settings, load_settings, program_interpreter

if TYPE_CHECKING:
    from lightning_tui.plan.model import Plan
    from lightning_tui.services.programs import ProgramChoice


def settings_of(arguments: argparse.Namespace) -> Settings:
    """Settings with the command line's flags applied.

    Raises:
        SettingsError: the settings file is broken.
    """
    return load_settings(os.environ, home_flag=getattr(arguments, "home", None))


def interpreter_of(arguments: argparse.Namespace) -> tuple[Path, bool]:
    """The Python that runs the program, and whether the command line names it.

    Raises:
        SettingsError: the command line names no executable file.
    """
    flag = getattr(arguments, "python", None)
    return program_interpreter(os.environ, flag), flag is not None


def choice_of(arguments: argparse.Namespace) -> ProgramChoice:
    """The program that stands after the `--`; its words are empty where there is none.

    Raises:
        SettingsError: the command line names no executable file as interpreter.
    """
    from lightning_tui.services.programs import ProgramChoice

    return ProgramChoice(tuple(arguments.program or ()), Path.cwd(), *interpreter_of(arguments))


def plan_of(arguments: argparse.Namespace) -> Plan:
    """Build the plan: flag over `--set` over plan file over preset.

    Raises:
        PlanError: a value that cannot be meant, or no such preset or file.
        SettingsError: the settings or `--python` are broken (only looked at for the preset `recommended`).
    """
    from msgspec.structs import replace

    from lightning_tui.plan.fields import FLAGS
    from lightning_tui.plan.model import Plan, PlanError
    from lightning_tui.plan.sources import read_plan_file

    plan = _preset(arguments) if arguments.preset else Plan()
    if arguments.plan:
        plan = replace(plan, **read_plan_file(arguments.plan).changes())
    for assignment in arguments.set:
        name, equals, value = assignment.partition("=")
        if not equals:
            raise PlanError(f"--set {assignment} is not valid. Allowed: FIELD=VALUE, such as --set batch_size=32.")
        plan = plan.with_field(name, value)
    for name in FLAGS:
        text = getattr(arguments, name)
        if text is not None:
            plan = plan.with_field(name, text)
    return plan


def _preset(arguments: argparse.Namespace) -> Plan:
    from lightning_tui.plan.presets import RECOMMENDED, preset
    from lightning_tui.services.machine import inspect_machine

    if arguments.preset != RECOMMENDED:
        return preset(arguments.preset)
    interpreter, _ = interpreter_of(arguments)
    return preset(RECOMMENDED, inspect_machine(settings_of(arguments), os.environ, interpreter))
