"""Which strategies has the program's own Lightning registered? Asked in a child process, and remembered."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import msgspec

from lightning_tui.environment.rules.software import COMPROMISED
from lightning_tui.environment.software import run_script
from lightning_tui.plan.cache import cached_file, write_cached

TIMEOUT_S = 60.0
"""Importing torch and Lightning takes seconds, and far more from a cold network file system."""

_MARK = "lightning-tui-strategies:"

# A compromised release runs its code on import.
_ASK = f"""
import sys
sys.path[:] = [entry for entry in sys.path if entry]
import json
from importlib import metadata
for name in ("lightning", "pytorch-lightning"):
    try:
        if metadata.version(name) in {sorted(COMPROMISED)}:
            sys.exit(1)
    except metadata.PackageNotFoundError:
        pass
try:
    from lightning.pytorch.strategies import StrategyRegistry
except ImportError:
    from pytorch_lightning.strategies import StrategyRegistry
print("\\n{_MARK}" + json.dumps(list(StrategyRegistry.available_strategies())))
"""


def registered_strategies(interpreter: Path, timeout_s: float = TIMEOUT_S) -> list[str]:
    """List the strategy names that the interpreter's Lightning knows; empty where it cannot be asked.

    The first time it takes seconds. The answer is kept until the interpreter or its packages change.
    """
    cache = _cache_file(interpreter)
    names = _remembered(cache)
    if names is None:
        names = _ask(interpreter, timeout_s)
        if names:
            write_cached(cache, msgspec.json.encode(names))
    return names


def remembered_strategies(interpreter: Path) -> list[str] | None:
    """What `registered_strategies` would answer, at once; `None` where it would have to ask first."""
    return _remembered(_cache_file(interpreter))


def _ask(interpreter: Path, timeout_s: float) -> list[str]:
    try:
        done = run_script(interpreter, _ASK, timeout_s)
    except (OSError, subprocess.TimeoutExpired):
        return []
    try:
        return msgspec.json.decode(done.stdout.rpartition(_MARK.encode())[2], type=list[str])
    except msgspec.DecodeError:
        return []


def _cache_file(interpreter: Path) -> Path:
    """Name a file by the interpreter and by when it and its packages last changed."""
    places = (interpreter, *sorted(interpreter.parent.parent.glob("lib/python*/site-packages")))
    parts = [str(interpreter)]
    for place in places:
        try:
            parts.append(str(place.stat().st_mtime_ns))
        except OSError:
            parts.append("")
    digest = hashlib.sha256("\n".join(parts).encode(errors="surrogateescape")).hexdigest()[:16]
    return cached_file(f"strategies-{digest}.json")


def _remembered(cache: Path) -> list[str] | None:
    try:
        return msgspec.json.decode(cache.read_bytes(), type=list[str])
    except (OSError, msgspec.DecodeError):
        return None
