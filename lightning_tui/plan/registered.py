"""Which strategies has the program's own Lightning registered? Asked in a child process, and remembered."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

import msgspec
import platformdirs

TIMEOUT_S = 60.0
"""Importing torch and Lightning takes seconds, and far more from a cold network file system."""

_MARK = "lightning-tui-strategies:"

_ASK = f"""
import sys
sys.path[:] = [entry for entry in sys.path if entry]
import json
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
            _remember(cache, names)
    return names


def _ask(interpreter: Path, timeout_s: float) -> list[str]:
    try:
        done = subprocess.run(
            [str(interpreter), "-c", _ASK],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            cwd="/",
            check=False,
        )
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
    return Path(platformdirs.user_cache_dir("lightning-tui")) / f"strategies-{digest}.json"


def _remembered(cache: Path) -> list[str] | None:
    try:
        return msgspec.json.decode(cache.read_bytes(), type=list[str])
    except (OSError, msgspec.DecodeError):
        return None


def _remember(cache: Path, names: list[str]) -> None:
    """Write whole or not at all. A cache that cannot be written is done without."""
    try:
        cache.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(dir=cache.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(names))
        Path(draft).replace(cache)
    except OSError:
        return
