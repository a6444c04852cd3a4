"""What parsed arguments mean: the settings and the interpreter that they ask for."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from lightning_tui.settings import Settings, load_settings, program_interpreter


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
