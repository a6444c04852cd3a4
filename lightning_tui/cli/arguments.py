"""What parsed arguments mean: the settings, the interpreter and the program that they ask for."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from lightning_tui.settings import Settings, load_settings, program_interpreter

if TYPE_CHECKING:
    from lightning_tui.environment import Software
    from lightning_tui.launch import Program


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


def program_of(arguments: argparse.Namespace) -> Program:
    """The program that stands after the `--`.

    Raises:
        ProgramError: there is none, or it cannot be run.
        SettingsError: the command line names no executable file as interpreter.
    """
    from lightning_tui.launch import resolve_program

    interpreter, is_given = interpreter_of(arguments)
    return resolve_program(
        arguments.program or [],
        interpreter=interpreter,
        interpreter_is_given=is_given,
        folder=Path.cwd(),
        environ=os.environ,
    )


def refuse_compromised(software: Software) -> None:
    """Run nothing with an interpreter whose Lightning is a compromised release.

    Raises:
        ProgramError: it is one.
    """
    from lightning_tui.environment import reason_not_to_start
    from lightning_tui.launch import ProgramError

    reason = reason_not_to_start(software)
    if reason is not None:
        raise ProgramError(reason)
