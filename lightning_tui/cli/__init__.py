"""The `lightning-tui` command: parse, call one function, print. Its names, JSON and exit codes are a contract."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence

from lightning_tui import __version__

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
    arguments = parse(words)
    from lightning_tui.cli.commands import run_command

    return run_command(arguments)
