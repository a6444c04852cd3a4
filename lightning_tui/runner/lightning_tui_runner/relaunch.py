"""Lightning starts the other ranks of DDP by running the script again: let each of them come through the shim."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from .process.program import CLI_ENTRY, CLI_WORD

_SHIM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "shim.py")


def wrap_launcher(module: ModuleType) -> None:
    """Wrap the two functions with which a flavour's launcher makes the command of a rank."""
    for name in ("_basic_subprocess_cmd", "_hydra_subprocess_cmd"):
        setattr(module, name, _through_the_shim(getattr(module, name)))


def _through_the_shim(make: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(make)
    def command(*args: Any, **kwargs: Any) -> Any:
        made = make(*args, **kwargs)
        if isinstance(made, tuple):  # Hydra's comes with the folder to start in
            return (shim_command(made[0]), *made[1:])
        return shim_command(made)

    return command


def shim_command(command: Sequence[str]) -> list[str]:
    """Return `[python, script or -m module, args...]` as a command that runs the same through the shim."""
    python, *words = command
    if words[0] == CLI_ENTRY:
        words[0] = CLI_WORD
    # The kernel ties a rank's life to the thread that starts it: only the main thread surely outlives the rank.
    is_main = threading.current_thread() is threading.main_thread()
    return [python, _SHIM, "--parent", str(os.getpid() if is_main else 0), "--", *words]
