"""The `lightning-tui` command: parse, call one function, print. Its names, JSON and exit codes are a contract."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from lightning_tui import __version__
from lightning_tui.refusal import RefusalError

if TYPE_CHECKING:
    import argparse

DONE, COULD_NOT, WRONG_USAGE = 0, 1, 2

READER_LEFT = 141
"""What a shell shows for a command whose pipe was closed (128 + SIGPIPE); a run that it followed goes on."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; messages for people go to stderr, data to stdout."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words == ["--version"]:
        print(f"lightning-tui {__version__}")
        return DONE
    from lightning_tui.cli.parser import parse  # kept out of `import lightning_tui.cli`

    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal of another encoding gets `?` for what it cannot show
        sys.stdout.reconfigure(errors="replace")
    return _carry_out(parse(words))


def _carry_out(arguments: argparse.Namespace) -> int:
    """Carry out a parsed command and return its exit code; `function` names it, so that only its module is imported."""
    from lightning_tui.cli.terminal import say

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
