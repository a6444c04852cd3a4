"""Commands about the runs of a home: runs, compare, name, note, prune, rm."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from lightning_tui.cli import COULD_NOT, DONE, WRONG_USAGE
from lightning_tui.cli.as_json import comparison_object, run_row
from lightning_tui.cli.terminal import duration, say, significant, size
from lightning_tui.cli.watching import marked, store_of, table, when
from lightning_tui.record import UnreadableRun
from lightning_tui.record.best import MetricSummary
from lightning_tui.record.comparison import Comparison, FieldDifference, MetricPair, RunTotals
from lightning_tui.record.notes import read_notes
from lightning_tui.record.summaries import RunSummary
from lightning_tui.services import runs as services
from lightning_tui.text.safe import harmless
from lightning_tui.text.units import plural


def runs(arguments: argparse.Namespace) -> int:
    """`lightning-tui runs`."""
    home = store_of(arguments).home
    found = list(services.list_runs(home))
    if arguments.json:
        print(json.dumps([run_row(run) for run in found]))
    elif not found:
        say(f"there are no runs in {home} yet. Start one with: lightning-tui demo")
    else:
        print("\n".join(table([_row(run) for run in found])))
    return DONE


def name(arguments: argparse.Namespace) -> int:
    """`lightning-tui name RUN [NAME]`: say it, or give another; empty takes it away."""
    return _note(arguments, "name", "{} has no name")


def note(arguments: argparse.Namespace) -> int:
    """`lightning-tui note RUN [TEXT]`: say it, or note something else; empty takes it away."""
    return _note(arguments, "note", "{} has no note")


def _note(arguments: argparse.Namespace, part: str, nothing: str) -> int:
    directory = store_of(arguments).find(arguments.run)
    if arguments.text is not None:
        services.write_notes(directory, **{part: arguments.text})
        return DONE
    text: str | None = getattr(read_notes(directory), part)
    if text is None:
        say(nothing.format(directory.id))
        return COULD_NOT
    print("\n".join(map(harmless, text.splitlines())))
    return DONE


def compare(arguments: argparse.Namespace) -> int:
    """`lightning-tui compare A B`."""
    store = store_of(arguments)
    compared = services.compare(store.find(arguments.first), store.find(arguments.second)).comparison
    if arguments.json:
        print(json.dumps(comparison_object(compared)))
    else:
        print("\n".join(harmless(line) for line in _comparison(compared)))
    return DONE


def prune(arguments: argparse.Namespace) -> int:
    """`lightning-tui prune --older-than AGE | --keep-size SIZE | --keep N`."""
    store = store_of(arguments)
    rule = services.PruneRule(arguments.older_than, arguments.keep_size, arguments.keep)
    if not arguments.dry_run:
        store.sweep()
    doomed, found = services.prunable(store.home, rule)
    if not doomed:
        say(f"nothing to delete: {len(found)} runs, {_total(found)}")
        return DONE
    print("\n".join(table([_row(run) for run in doomed])), flush=True)
    number = plural(len(doomed), "run")
    say(f"{number} of {len(found)}, {_total(doomed)} of {_total(found)}")
    if arguments.dry_run:
        return DONE
    if not arguments.yes and not _confirmed("prune", number):
        return WRONG_USAGE
    done = services.delete(store.home, [services.directory_of(run) for run in doomed], rule)
    code = _refused(done.refusals)
    say(f"deleted {plural(len(done.deleted), 'run')}, {size(done.freed)} freed")
    return code


def remove(arguments: argparse.Namespace) -> int:
    """`lightning-tui rm RUN...`."""
    store = store_of(arguments)
    directories = {found.id: found for found in map(store.find, arguments.runs)}
    if not arguments.yes and not _confirmed("rm", ", ".join(directories)):
        return WRONG_USAGE
    code = DONE
    for directory in directories.values():
        done = services.delete(store.home, [directory])
        if done.deleted:
            say(f"deleted {directory.id}, {size(done.freed)} freed")
        code = max(code, _refused(done.refusals))
    return code


def _refused(refusals: Sequence[str]) -> int:
    for refusal in refusals:
        say(refusal)
    return COULD_NOT if refusals else DONE


def _confirmed(command: str, what: str) -> bool:
    if not sys.stdin.isatty():
        say(f"{command} asks before it deletes, which needs a terminal. Use --yes to delete without asking.")
        return False
    sys.stderr.write(f"Delete {what} with all files? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() in ("y", "yes"):
        return True
    say("nothing was deleted")
    return False


def _total(some: Iterable[RunSummary]) -> str:
    return size(sum(run.size or 0 for run in some))


def _row(run: services.ListedRun) -> tuple[str, ...]:
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
    rows += [row("Program", first.program, second.program)] if first.program != second.program else []
    return rows + ([row("Versions", first.versions, second.versions)] if first.versions != second.versions else [])


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
