"""How is a command carried out, and how does an error become a sentence and an exit code?"""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module

from lightning_tui.cli import READER_LEFT
from lightning_tui.cli.terminal import say
from lightning_tui.refusal import RefusalError


def run_command(arguments: argparse.Namespace) -> int:
    """Carry out a parsed command and return its exit code; `function` names it, so that only its module is imported."""
    try:
        module, _, name = arguments.function.partition(":")
        code: int = getattr(import_module(f"lightning_tui.cli.{module}"), name)(arguments)
        return code
    except RefusalError as error:
        say(str(error))
        return error.exit_code
    except BrokenPipeError:
        # The reader of a pipe (`| head`) has left; nothing more can be said on stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_LEFT
    except KeyboardInterrupt:
        return 130
