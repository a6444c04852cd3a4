"""What parsed arguments mean: the settings, and the program that they ask for."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from lightning_tui.settings import Settings, load_settings, program_interpreter

if TYPE_CHECKING:
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
