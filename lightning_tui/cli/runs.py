"""Commands about the runs of a home: runs, compare, name, note, prune."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from typing import Any

from lightning_tui.cli import COULD_NOT, DONE, WRONG_USAGE
from lightning_tui.cli.as_json import comparison_object, run_row
from lightning_tui.cli.terminal import duration, say, significant, size
from lightning_tui.cli.watching import marked, store_of, table, when
from lightning_tui.record import RecordError, RunDirectory, RunStore, UnreadableRun, read_snapshot
from lightning_tui.record.best import MetricSummary
from lightning_tui.record.comparison import Comparison, FieldDifference, MetricPair, RunTotals, compare_runs
from lightning_tui.record.notes import read_notes, set_name, set_note
from lightning_tui.record.pruning import runs_to_prune
from lightning_tui.record.summaries import RunSummary
from lightning_tui.text.safe import harmless


def runs(arguments: argparse.Namespace) -> int:
    """`lightning-tui runs`."""
    store = store_of(arguments)
    found = list(store.summaries())
    if arguments.json:
        print(json.dumps([run_row(run) for run in found]))
    elif not found:
        say(f"there are no runs in {store.home} yet. Start one with: lightning-tui demo")
    else:
        print("\n".join(table([_row(run) for run in found])))
    return DONE


def name(arguments: argparse.Namespace) -> int:
    """`lightning-tui name RUN [NAME]`: say it, or give another; empty takes it away."""
    directory = store_of(arguments).find(arguments.run)
    if arguments.text is None:
        return _say_it(read_notes(directory).name, f"{directory.id} has no name")
    set_name(directory, arguments.text)
    return DONE


def note(arguments: argparse.Namespace) -> int:
    """`lightning-tui note RUN [TEXT]`: say it, or note something else; empty takes it away."""
    directory = store_of(arguments).find(arguments.run)
    if arguments.text is None:
        return _say_it(read_notes(directory).note, f"nothing is noted of {directory.id}")
    set_note(directory, arguments.text)
    return DONE


def compare(arguments: argparse.Namespace) -> int:
    """`lightning-tui compare A B`."""
    store = store_of(arguments)
    first, second = (read_snapshot(store.find(run)) for run in (arguments.first, arguments.second))
    compared = compare_runs(first, second, time.time())
    if arguments.json:
        print(json.dumps(comparison_object(compared)))
    else:
        print("\n".join(harmless(line) for line in _comparison(compared)))
    return DONE


def prune(arguments: argparse.Namespace) -> int:
    """`lightning-tui prune --older-than AGE | --keep-size SIZE | --keep N`."""
    store = store_of(arguments)
    if not arguments.dry_run:
        store.sweep()
    found, doomed = _found_and_doomed(store, arguments)
    if not doomed:
        say(f"nothing to delete: {len(found)} runs, {_total(found)}")
        return DONE
    print("\n".join(table([_row(run) for run in doomed])), flush=True)
    say(f"{_number(doomed)} of {len(found)}, {_total(doomed)} of {_total(found)}")
    if arguments.dry_run:
        return DONE
    if not arguments.yes:
        if not _confirmed(doomed):
            return WRONG_USAGE
        # A child may have been started meanwhile that goes on from one of them.
        still = {run.id for run in _found_and_doomed(store, arguments)[1]}
        doomed = [run for run in doomed if run.id in still]
    return _delete(store, doomed)


# ------------------------------------------------------------------------------------------------------ prune


def _found_and_doomed(store: RunStore, arguments: argparse.Namespace) -> tuple[list[RunSummary], list[RunSummary]]:
    found = [run for run in store.summaries() if isinstance(run, RunSummary)]
    doomed = runs_to_prune(
        found,
        now=time.time(),
        older_than_s=arguments.older_than,
        keep_size=arguments.keep_size,
        keep=arguments.keep,
    )
    return found, doomed


def _confirmed(doomed: Sequence[RunSummary]) -> bool:
    if not sys.stdin.isatty():
        say("prune asks before it deletes, and there is no terminal to ask on. Say --yes to delete.")
        return False
    sys.stderr.write(f"Delete {_number(doomed)} with all files? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() in ("y", "yes"):
        return True
    say("nothing was deleted")
    return False


def _delete(store: RunStore, doomed: Sequence[RunSummary]) -> int:
    deleted = []
    for run in doomed:
        try:
            store.delete(RunDirectory(store.home / run.id))
            deleted.append(run)
        except RecordError as error:
            say(str(error))
    say(f"deleted {_number(deleted)}, {_total(deleted)} are free again")
    return DONE if len(deleted) == len(doomed) else COULD_NOT


def _number(some: Sequence[RunSummary]) -> str:
    return "1 run" if len(some) == 1 else f"{len(some)} runs"


def _total(some: Sequence[RunSummary]) -> str:
    return size(sum(run.size or 0 for run in some))


# ------------------------------------------------------------------------------------------------------ lines


def _say_it(text: str | None, nothing: str) -> int:
    if text is None:
        say(nothing)
        return COULD_NOT
    print("\n".join(map(harmless, text.splitlines())))
    return DONE


def _row(run: RunSummary | UnreadableRun) -> tuple[str, ...]:
    if isinstance(run, UnreadableRun):
        return (harmless(run.id), "? unreadable", "", "", "", "", harmless(run.problem), "")
    progress = run.progress
    share = f"{progress.fraction:.0%}" if progress and progress.fraction is not None else ""
    step = f"step {progress.global_step}" if progress else ""
    said = " · ".join(filter(None, (run.name, (run.note or "").partition("\n")[0])))
    return (
        harmless(run.id),
        marked(run.state),
        when(run.created_at),
        f"{share} {step}".strip(),
        harmless(_metric(run.metric)),
        size(run.size),
        harmless(run.program),
        harmless(said),
    )


def _metric(metric: MetricSummary | None) -> str:
    if metric is None:
        return ""
    return f"{metric.name} {significant(metric.last if metric.best is None else metric.best)}"


def _comparison(compared: Comparison) -> list[str]:
    rows = [("", compared.first.id, compared.second.id), *_sums(compared.first, compared.second)]
    rows += [("", "", ""), ("Plan", "", ""), *_fields(compared.fields)]
    if compared.metrics:
        rows += [("", "", ""), ("Metrics", "best (step), last", "")]
        rows += [(f"  {pair.name}", _best_and_last(pair, 0), _best_and_last(pair, 1)) for pair in compared.metrics]
    return table(rows)


def _sums(first: RunTotals, second: RunTotals) -> list[tuple[str, str, str]]:
    def row(label: str, one: Any, other: Any) -> tuple[str, str, str]:
        return (label, "N/A" if one is None else str(one), "N/A" if other is None else str(other))

    rows = [
        row("State", first.state, second.state),
        row("Took", duration(first.duration_s), duration(second.duration_s)),
        row("Step", first.global_step, second.global_step),
        row("World size", first.world_size, second.world_size),
        row("Peak memory", size(first.peak_memory), size(second.peak_memory)),
    ]
    for label, one, other in (
        ("Program", first.program, second.program),
        ("Versions", first.versions, second.versions),
    ):
        rows += [row(label, one, other)] if one != other else []
    return rows


def _fields(fields: Sequence[FieldDifference]) -> list[tuple[str, str, str]]:
    if not fields:
        return [("  no difference", "", "")]
    return [(f"  {field.name}", _value(field, 0), _value(field, 1)) for field in fields]


def _value(field: FieldDifference, which: int) -> str:
    """What is in effect, and where nothing was set, that the script says so."""
    planned, actual = field.planned[which], field.actual[which]
    if planned is None:
        return "as the script says" if actual is None else f"{actual} (as the script says)"
    return str(planned) if actual is None or actual == planned else f"{planned} → {actual}"


def _best_and_last(pair: MetricPair, which: int) -> str:
    metric = (pair.first, pair.second)[which]
    if metric is None:
        return "N/A"
    star = " ★" if pair.better == which else ""
    best = "" if metric.best is None else f"{significant(metric.best)} ({metric.best_step}){star}, "
    return f"{best}{significant(metric.last)}"
