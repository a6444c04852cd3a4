"""What the cockpit asks of the house about a run in trouble: what happened, what helps, and a child run with that."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from lightning_tui.ui.failure.findings import (
    Beginning,
    FieldChange,
    Findings,
    Fix,
    Place,
    Trouble,
    in_order,
    order_of_trouble,
    trouble_of,
)
from lightning_tui.ui.plan.words import value_words
from lightning_tui.ui.services import RefusalError, after_loading, check_may_start, refusals

if TYPE_CHECKING:
    from lightning_tui.diagnosis import Diagnosis, Evidence, Suggestion
    from lightning_tui.environment import Environment
    from lightning_tui.plan.model import Plan
    from lightning_tui.record import RunDirectory, RunRecord, RunSnapshot
    from lightning_tui.record.checkpoints import Checkpoint
    from lightning_tui.settings import Settings

_MODULES = ("lightning_tui.diagnosis", "lightning_tui.launch.relaunch", "lightning_tui.launch.report")
_LONGEST_LINE_OF_RUNS = 20
"""How many parents are asked what was tried."""
_SAYS_OF_THE_CHECKPOINT = frozenset(
    {"state-dict-mismatch", "optimizer-state-mismatch", "weights-only-unpickling"}
    | {"checkpoint-not-found", "checkpoint-corrupted", "checkpoint-wrong-format", "checkpoint-hparams-missing"}
)
"""Where a run failed of the checkpoint that it began from, no child begins from that again."""


class FailureServices(NamedTuple):
    """Each callable may raise `RefusalError`."""

    explain: Callable[[RunSnapshot, Environment | None, bool], Findings]
    """The run, the machine where it is known, and whether the report may be written."""
    relaunch: Callable[[RunDirectory, Fix], RunDirectory]
    """Start a child of the run with what the fix changes; its directory."""


def real_failure_services(settings: Settings, environ: Mapping[str, str]) -> FailureServices:
    """The services of a real cockpit. Imports and touches nothing slow yet."""
    return FailureServices(
        explain=after_loading(explain, *_MODULES),
        relaunch=after_loading(partial(_relaunch, settings, environ), *_MODULES),
    )


def explain(run: RunSnapshot, environment: Environment | None, may_write: bool) -> Findings:
    """Diagnose a run, and work out what its suggestions would do.

    Raises:
        RefusalError: the run cannot be read any more.
    """
    from lightning_tui.diagnosis import evidence_of_run
    from lightning_tui.launch.report import write_report
    from lightning_tui.record import RunDirectory

    trouble = trouble_of(run)
    if trouble is None:
        raise RefusalError("Nothing is wrong with this run.")
    directory = RunDirectory(Path(run.directory))
    with refusals():
        evidence = evidence_of_run(directory, run)
    findings = findings_of(trouble, evidence, run, environment)
    if not (may_write and trouble.kind == "ended" and findings.root is not None and findings.root.severity == "error"):
        return findings
    written = write_report(directory, findings.report)
    return msgspec.structs.replace(findings, report_path=None if written is None else str(written))


def findings_of(trouble: Trouble, evidence: Evidence, run: RunSnapshot, environment: Environment | None) -> Findings:
    """What the evidence says, and what its suggestions would do in this run on this machine."""
    from lightning_tui.diagnosis import diagnose, report_text
    from lightning_tui.record import RunDirectory

    found = order_of_trouble(diagnose(evidence), trouble, bool(evidence.exceptions))
    if not found:
        return Findings(trouble)
    root, outputs = found[0], RunDirectory(Path(run.directory)).outputs(run.attempt)
    fixes = in_order(_fixes(root, evidence, run, environment))
    return Findings(trouble, found, fixes, place_of(root, outputs), report_text(run, root))


# ---------------------------------------------------------------------------------------------- where it is said


def place_of(diagnosis: Diagnosis, outputs: Mapping[int, Path]) -> Place | None:
    """Which line of whose output file shows it. With several files, the one in which that line says the same."""
    number = diagnosis.evidence.line
    if number is None or not outputs:
        return None
    ranks = sorted(outputs, key=lambda rank: (rank != diagnosis.rank, rank))
    if len(ranks) == 1:
        return Place(ranks[0], number - 1)
    words = diagnosis.evidence.text[:40]
    return next((Place(rank, number - 1) for rank in ranks if words in _line(outputs[rank], number)), None)


def _line(path: Path, number: int) -> str:
    """A line of a file, counted from 1; empty where there is none."""
    try:
        with path.open("rb") as file:
            for at, line in enumerate(file, 1):
                if at == number:
                    return line.decode("utf-8", errors="replace")
    except OSError:
        return ""
    return ""


# ------------------------------------------------------------------------------------------------ what would help


def _fixes(root: Diagnosis, evidence: Evidence, run: RunSnapshot, environment: Environment | None) -> Iterator[Fix]:
    tried = tried_in_line(run)
    starts = _starting_points(run, root)
    for suggestion in root.suggestions:
        if suggestion.changes:
            yield _fix(suggestion, evidence, run, tried, starts, environment)


def _fix(
    suggestion: Suggestion,
    evidence: Evidence,
    run: RunSnapshot,
    tried: Mapping[frozenset[str], str],
    starts: tuple[Checkpoint, ...],
    environment: Environment | None,
) -> Fix:
    from lightning_tui.launch.relaunch import CHECKPOINT_WORDS

    changes = {name: value for name, value in (suggestion.changes or {}).items() if value not in CHECKPOINT_WORDS}
    beginning, obstacle = _prospect(run.record, changes, starts, environment)
    return Fix(
        suggestion.text,
        changes,
        tuple(FieldChange(name, _before(name, evidence), value_words(name, value)) for name, value in changes.items()),
        beginning,
        suggestion.trust,
        tried.get(frozenset(changes)),
        obstacle,
    )


def _before(name: str, evidence: Evidence) -> str:
    value = evidence.value(name)
    if value is None and name == "batch_size":
        value = evidence.batch_size
    if value is None and name == "accumulate_grad_batches" and evidence.actual:
        value = 1
    return "" if value is None else value_words(name, value)


def _prospect(
    record: RunRecord, changes: Mapping[str, Any], starts: tuple[Checkpoint, ...], environment: Environment | None
) -> tuple[Beginning, str | None]:
    """From where a child with these changes would go on, and why it could not run here."""
    from lightning_tui.launch.relaunch import plan_of_child
    from lightning_tui.plan.model import PlanError

    try:
        before, after = plan_of_child(record, {}, None), plan_of_child(record, changes, None)
    except PlanError as error:
        return Beginning(reason="the plan cannot be read"), str(error)
    return _beginning(starts, before, after), _obstacle(after, record, environment)


def _beginning(starts: tuple[Checkpoint, ...], before: Plan, after: Plan) -> Beginning:
    from lightning_tui.launch.relaunch import why_not_resumable
    from lightning_tui.record.checkpoints import last_good

    good = last_good(starts)
    if good is None and after.ckpt_path is not None:
        return Beginning(reason=f"from {after.ckpt_path}, as the plan says")
    if good is None and starts:
        return Beginning(reason=f"{Path(starts[0].path).name}: {starts[0].problem}")
    if good is None:
        return Beginning(reason="no checkpoint was saved")
    reason = why_not_resumable(good, before, after)
    if reason is not None:
        return Beginning(reason=reason)
    return Beginning(good.path, good.global_step, good.epoch, good.saved_at)


def _obstacle(plan: Plan, record: RunRecord, environment: Environment | None) -> str | None:
    """Why a plan cannot work on this machine, where that is known without asking anybody."""
    if environment is None or environment.software is None:
        return None
    from lightning_tui.plan.checks import find_obstacles
    from lightning_tui.plan.facts import machine_facts

    facts = machine_facts(environment)
    return next(find_obstacles(plan, facts=facts, interpreter=Path(record.program.interpreter)), None)


def _starting_points(run: RunSnapshot, root: Diagnosis) -> tuple[Checkpoint, ...]:
    """The run's checkpoints, newest first, with the one that it began from itself: unless it has failed of that."""
    from lightning_tui.record import RunDirectory
    from lightning_tui.record.checkpoints import checkpoints_of

    found, source = checkpoints_of(RunDirectory(Path(run.directory)), run), run.record.resumed_from
    if root.category in _SAYS_OF_THE_CHECKPOINT:
        return tuple(checkpoint for checkpoint in found if checkpoint.path != source)
    return tuple(_as_its_run_told(checkpoint, run) if checkpoint.path == source else checkpoint for checkpoint in found)


def _as_its_run_told(checkpoint: Checkpoint, run: RunSnapshot) -> Checkpoint:
    """The checkpoint that the run began from as the run that saved it knows it: its name need not say the step."""
    from lightning_tui.record import RecordError, RunDirectory, read_snapshot
    from lightning_tui.record.checkpoints import checkpoints_of

    for parent, _ in _line_of_runs(run.record, RunDirectory(Path(run.directory))):
        try:
            told = checkpoints_of(parent, read_snapshot(parent))
        except RecordError:
            continue
        if same := [each for each in told if each.path == checkpoint.path and each.global_step is not None]:
            return same[0]
    return checkpoint


def tried_in_line(run: RunSnapshot) -> dict[frozenset[str], str]:
    """What the runs from which this one descends were relaunched with: the fields, and the run in which they were."""
    from lightning_tui.record import RunDirectory

    child = run.record
    tried: dict[frozenset[str], str] = {}
    for _, parent in _line_of_runs(run.record, RunDirectory(Path(run.directory))):
        changed = {name for name in {*child.plan, *parent.plan} if child.plan.get(name) != parent.plan.get(name)}
        tried.setdefault(frozenset(changed - {"ckpt_path"}), child.id)
        child = parent
    return tried


def _line_of_runs(record: RunRecord, directory: RunDirectory) -> Iterator[tuple[RunDirectory, RunRecord]]:
    """The run's parent, that one's parent, and so on, as far as they are still there."""
    from lightning_tui.record import RecordError, RunDirectory

    for _ in range(_LONGEST_LINE_OF_RUNS):
        if record.parent is None or Path(record.parent).name != record.parent:
            return
        directory = RunDirectory(directory.path.parent / record.parent)
        try:
            record = directory.read_record()
        except RecordError:
            return
        yield directory, record


# --------------------------------------------------------------------------------------------------- and doing it


def _relaunch(settings: Settings, environ: Mapping[str, str], parent: RunDirectory, fix: Fix) -> RunDirectory:
    from lightning_tui.launch.relaunch import plan_of_child, relaunch

    with refusals():
        record, checkpoint = parent.read_record(), fix.beginning.checkpoint
        plan = plan_of_child(record, fix.changes, checkpoint)
        check_may_start(settings, environ, Path(record.program.interpreter), plan)
        return relaunch(settings, parent, fix.changes, checkpoint=checkpoint, environ=environ)
