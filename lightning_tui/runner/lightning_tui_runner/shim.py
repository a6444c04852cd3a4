"""Run a program as Python would, and as part of a run where there is one. Started by path: `shim.py -- train.py`."""

import importlib
import os
import sys


def _make_importable(shim: str) -> None:
    """Take our own folder off the program's path; put the one that holds this package alone at its very end."""
    package = os.path.dirname(os.path.realpath(shim))
    if sys.path and os.path.realpath(sys.path[0]) == package:
        del sys.path[0]
    sys.path.append(os.path.dirname(package))


if __name__ == "__main__":
    _make_importable(__file__)
    _given = {name: value for name, value in globals().items() if name.startswith("__")}
    importlib.import_module("lightning_tui_runner.start").main(sys.argv[1:], _given)
