"""The command `diagnose`: explain an error text, a file of output or a run; and the same as JSON."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import stat
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from lightning_tui.cli import COULD_NOT, DONE
from lightning_tui.cli.arguments import settings_of
from lightning_tui.cli.as_json import diagnosis_rows
from lightning_tui.cli.terminal import say
from lightning_tui.diagnosis import Diagnosis, flags
from lightning_tui.record import RecordError, RunDirectory, RunSnapshot, RunState, RunStore, read_snapshot
from lightning_tui.services.explaining import Explanation, explain_file, explain_run, explain_text, keep_report
from lightning_tui.text.safe import harmless
from lightning_tui.text.units import plural

MOST_INPUT = 64 << 20
"""Bytes of a pipe that are kept; of more, the end."""


def diagnose(arguments: argparse.Namespace) -> int:
    """`lightning-tui diagnose [FILE | - | RUN]`."""
    try:
        explained = _explained(arguments)
    except OSError as error:
        say(f"{arguments.what} cannot be read: {error.strerror or error}.")
        return COULD_NOT
    keep_report(explained)
    if arguments.report:
        return _print_report(explained)
    if arguments.json:
        print(json.dumps({"diagnoses": diagnosis_rows(explained.diagnoses)}))
    else:
        print("\n".join(as_text(explained)))
    return DONE


def as_text(explained: Explanation) -> list[str]:
    """The root cause in full, and what else shows in one line each."""
    if not explained.diagnoses:
        return [_nothing(explained)]
    return [harmless(line) for line in _diagnosis_lines(explained.diagnoses)]


def _nothing(explained: Explanation) -> str:
    run = explained.run
    if run is None:
        known = "This text shows no known failure."
        return known if explained.has_text else "The text is empty."
    if run.state is RunState.FAILED:
        return f"Failed: {harmless(run.detail)}. Its record and output say nothing more."
    return _looked_at(explained, run)


def _looked_at(explained: Explanation, run: RunSnapshot) -> str:
    """That nothing was found, and in what."""
    seen = ["its output"] if explained.has_text else []
    metrics = len({name for fit in run.fits for name in fit.metrics} | set(run.metrics))
    seen += [plural(metrics, "metric")] if metrics else []
    seen += [plural(explained.samples, "sample") + " of its hardware"] if explained.samples else []
    if not seen:
        return f"{run.state.value}; it left no output, no metric and no sample to look at."
    listed = seen[0] if len(seen) == 1 else f"{', '.join(seen[:-1])} and {seen[-1]}"
    return f"{run.state.value}; looked at {listed}: nothing to improve was found."


def _diagnosis_lines(found: tuple[Diagnosis, ...]) -> Iterator[str]:
    root = found[0]
    rank = "" if root.rank is None else f" · rank {root.rank}"
    yield f"{root.title}  ({root.category}{rank})"
    yield from _wrapped(root.cause, "  ")
    yield ""
    place = f"line {root.evidence.line}: " if root.evidence.line else ""
    yield from _wrapped(f"{place}{root.evidence.text}", "  > ", "    ")
    if root.where is not None:
        code = f"  {root.where.code}" if root.where.code else ""
        yield f"  at {root.where.path}:{root.where.line}{code}"
    yield ""
    for number, suggestion in enumerate(root.suggestions, 1):
        yield from _wrapped(suggestion.text, f"  {number}. ", "     ")
        if suggestion.changes:
            yield f"     {flags(suggestion.changes)}"
    if root.docs:
        yield f"  Read more: {root.docs}"
    if len(found) > 1:
        yield ""
        yield "Also seen:"
        yield from (f"  {other.title}  ({other.category})" for other in found[1:])


def _wrapped(text: str, first: str, following: str | None = None) -> list[str]:
    width = max(40, min(120, shutil.get_terminal_size().columns if sys.stdout.isatty() else 120))
    later = first if following is None else following
    return textwrap.wrap(text, width, initial_indent=first, subsequent_indent=later, break_long_words=False)


def _print_report(explained: Explanation) -> int:
    report = explained.report
    if report is None:
        say("--report needs a run with a failure: lightning-tui diagnose RUN --report")
        return COULD_NOT
    print(report, end="")
    return DONE


def _explained(arguments: argparse.Namespace) -> Explanation:
    """What the word means: `-` or nothing with a pipe is stdin, a file that exists is a file, else it is a run."""
    what = arguments.what
    if what == "-":
        return _explain_stream(sys.stdin.buffer)
    if what is None and _is_fed() and (explained := _explain_stream(sys.stdin.buffer)).has_text:
        return explained
    store = RunStore(settings_of(arguments).runs_home)
    if what is None:
        return explain_run(read_snapshot(_newest(store)))
    path = Path(what)
    if path.is_dir() and (path / "run.json").exists():
        return explain_run(read_snapshot(RunDirectory(path.resolve())))
    if path.is_file() or path.is_dir():
        return explain_file(path)
    if path.exists():  # a named pipe, or what the shell makes of <(command)
        with path.open("rb") as stream:
            return _explain_stream(stream)
    try:
        return explain_run(read_snapshot(store.find(what)))
    except RecordError as error:
        raise RecordError(f"{what!r} is neither a file nor a run. {error}") from error


def _newest(store: RunStore) -> RunDirectory:
    newest = store.newest()
    if newest is None:
        raise RecordError(
            f"There are no runs in {store.home} yet. For a text: lightning-tui diagnose FILE, or - for stdin."
        )
    return newest


def _is_fed() -> bool:
    """Whether stdin is a pipe or a file: no terminal, and nothing empty such as /dev/null."""
    mode = os.fstat(sys.stdin.fileno()).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)


def _explain_stream(stream: BinaryIO) -> Explanation:
    kept, dropped = bytearray(), 0
    while chunk := stream.read(1 << 20):
        kept += chunk
        if len(kept) > 2 * MOST_INPUT:
            dropped += kept.count(b"\n", 0, len(kept) - MOST_INPUT)
            del kept[:-MOST_INPUT]
    return explain_text(kept.replace(b"\0", b"").decode("utf-8", errors="replace"), first_line=dropped + 1)
