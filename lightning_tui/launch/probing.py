"""What would a program train? It is run up to its first training step in a child of its own, and the answer is kept."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

import lightning_tui
from lightning_tui.launch.local import LaunchError
from lightning_tui.launch.program import Program
from lightning_tui.launch.throwaway import ThrowawayEnd, run_throwaway
from lightning_tui.plan.cache import cached_file, write_cached
from lightning_tui.plan.probe import ProbeError, ProgramProbe, parse_probe
from lightning_tui.text.safe import harmless

TIMEOUT_S = 300.0
"""A program may read a lot of data before its first step."""

_ANSWER_VARIABLE = "LIGHTNING_TUI_PROBE_ANSWER"
_FORWARD_VARIABLE = "LIGHTNING_TUI_PROBE_FORWARD"
_UNCOMPILED = {"TORCHDYNAMO_DISABLE": "1"}
_SHOWN_LINES = 12
_SHOWN = 2000

_HASHED = (".py", ".yaml", ".yml", ".json", ".toml", ".ini", ".cfg")
_MOST_SOURCES = 1000
_MOST_FILES = 100_000
"""Below a folder of more, only the first are looked at: a change further on goes unseen."""


def probe_program(
    program: Program,
    *,
    timeout_s: float = TIMEOUT_S,
    cancelled: Callable[[], bool] = lambda: False,
    environ: Mapping[str, str] | None = None,
    always_forward: bool = False,
    fresh: bool = False,
) -> ProgramProbe:
    """Run the program up to its first training step and return what it would train.

    What the program itself does before `Trainer.fit` does happen; nothing after it does, no device is used, and what
    Lightning writes goes to a folder that is gone afterwards, like every process. Takes seconds; blocks meanwhile.
    What is wrong stands in the probe's `error`. A whole answer is kept until the program or its packages change;
    `fresh` asks again, `always_forward` too, with real forward passes besides the fake ones.
    """
    began = time.monotonic()
    cache = None if always_forward else _cache_file(program)
    kept = None if fresh or cache is None else _remembered(cache)
    if kept is not None:
        return kept
    with tempfile.TemporaryDirectory(prefix="lightning-tui-", ignore_cleanup_errors=True) as name:
        file = Path(name, "answer.json")
        asked = {**_UNCOMPILED, _ANSWER_VARIABLE: str(file), **({_FORWARD_VARIABLE: "1"} if always_forward else {})}
        try:
            end = run_throwaway(
                program,
                Path(name),
                environ={**(os.environ if environ is None else environ), **asked},
                is_cancelled=cancelled,
                time_limit_s=timeout_s,
            )
        except LaunchError as error:
            return ProgramProbe(error=str(error))
        found = _answer(file, end, timeout_s)
    texts = {name: getattr(found, name) for name in ("error", "measuring_error", "forward_error")}
    safe = {name: harmless(text, keeps="\n") for name, text in texts.items() if text is not None}
    probe = msgspec.structs.replace(found, **safe, took_s=round(time.monotonic() - began, 3))
    if cache is not None and not end.is_out_of_time and probe.error is None:
        write_cached(cache, msgspec.json.encode(probe))
    return probe


def remembered_probe(program: Program) -> ProgramProbe | None:
    """What an earlier probe of the program found; `None` where there was none, or the program has changed since."""
    return _remembered(_cache_file(program))


def _answer(file: Path, end: ThrowawayEnd, time_limit_s: float) -> ProgramProbe:
    """What is known, and what went wrong."""
    try:
        found = parse_probe(file.read_bytes())
    except FileNotFoundError:
        found = ProgramProbe()
    except (OSError, ProbeError) as error:
        return ProgramProbe(error=str(error))
    if end.is_cancelled:
        return msgspec.structs.replace(found, error="The probe was cancelled.")
    if found.error is not None:
        return _with_output(found, end)
    if found.trainer or found.parameters is not None:
        return _with_reason(found, end)
    if end.is_out_of_time:
        problem = f"The program did not reach Trainer.fit within {time_limit_s:g} s."
    else:
        problem = f"The program ended with code {end.code} before anything was learned about it."
    return _with_output(ProgramProbe(error=problem), end)


def _with_reason(found: ProgramProbe, end: ThrowawayEnd) -> ProgramProbe:
    """Facts are there; say why measurements may be missing."""
    if not end.is_out_of_time and not end.code:
        return found
    reason = "the time limit was reached" if end.is_out_of_time else f"the process ended with code {end.code}"
    return msgspec.structs.replace(found, measuring_error=found.measuring_error or reason)


def _with_output(found: ProgramProbe, end: ThrowawayEnd) -> ProgramProbe:
    """Let the last lines of its output stand below an error that has no traceback."""
    error = found.error or ""
    lines = "\n".join(end.last_words.strip().splitlines()[-_SHOWN_LINES:])[-_SHOWN:]
    return found if "\n" in error or not lines else msgspec.structs.replace(found, error=f"{error}\n{lines}")


# --- The cache --------------------------------------------------------------------------------------------------------


def _cache_file(program: Program) -> Path:
    """Name a file by all that the answer depends on: words, files beside the program, interpreter, its packages."""
    digest = hashlib.sha256(lightning_tui.__version__.encode())
    typed = (f"{name}={value}" for name, value in program.environment.items())
    for word in (str(program.interpreter), str(program.folder), *typed, *program.shim_arguments, *_packages(program)):
        digest.update(b"\0" + word.encode(errors="surrogateescape"))
    for path in sorted(set(_files(program))):
        with contextlib.suppress(OSError):
            digest.update(b"\0" + os.fsencode(path) + hashlib.sha256(path.read_bytes()).digest())
    return cached_file(f"probe-{digest.hexdigest()[:24]}.json")


def _packages(program: Program) -> list[str]:
    """Installed versions of what computes, by the folders in which pip notes them."""
    places = program.interpreter.parent.parent.glob("lib/python*/site-packages")
    names = ("torch-", "lightning-", "pytorch_lightning-")
    return sorted(p.name for place in places for p in place.glob("*.dist-info") if p.name.startswith(names))


def _files(program: Program) -> Iterator[Path]:
    """The files that the words name, and sources and configs below the folder of the program."""
    named = [program.folder / word.partition("=")[2] for word in program.shim_arguments if "=" in word]
    named += [program.folder / word for word in program.shim_arguments]
    files = [path for path in named if _is_small_file(path)]
    yield from files
    yield from _below(files[0].parent if files else program.folder)


def _below(folder: Path) -> Iterator[Path]:
    found = seen = 0
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")) and name != "site-packages")
        sources = [Path(place, name) for name in sorted(names) if name.endswith(_HASHED)]
        yield from (path for path in sources if _is_small_file(path))
        found, seen = found + len(sources), seen + len(names)
        if found > _MOST_SOURCES or seen > _MOST_FILES:
            return


def _is_small_file(path: Path) -> bool:
    try:
        return path.is_file() and path.stat().st_size <= 1 << 20
    except (OSError, ValueError):
        return False


def _remembered(cache: Path) -> ProgramProbe | None:
    try:
        return parse_probe(cache.read_bytes())
    except (OSError, ProbeError):
        return None
