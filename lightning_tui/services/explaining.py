"""What happened to a run, or stands in a text, and what would help?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from lightning_tui.diagnosis import (
    Diagnosis,
    Evidence,
    Suggestion,
    diagnose,
    evidence_of_file,
    evidence_of_run,
    evidence_of_text,
    report_text,
)
from lightning_tui.diagnosis.live import Advice, advice_of_run, with_advice
from lightning_tui.environment import Environment
from lightning_tui.launch.report import write_report
from lightning_tui.plan.checks import find_obstacles
from lightning_tui.plan.facts import machine_facts
from lightning_tui.plan.model import Plan, PlanError
from lightning_tui.record import RecordError, RunDirectory, RunRecord, RunSnapshot, RunState, read_snapshot
from lightning_tui.record.checkpoints import Checkpoint, checkpoints_of, failed_checkpoint, neighbours_of
from lightning_tui.refusal import RefusalError
from lightning_tui.services.children import ANEW, CHECKPOINT_WORDS, checkpoint_for, plan_of_child, why_not_resumable
from lightning_tui.services.findings import (
    Beginning,
    FieldChange,
    Findings,
    Fix,
    OutputPlace,
    Trouble,
    in_order,
    order_of_trouble,
    trouble_of,
)

_LONGEST_LINE_OF_RUNS = 20
"""How many parents are asked what was tried."""
_SAYS_OF_THE_CHECKPOINT = frozenset(
    {"state-dict-mismatch", "optimizer-state-mismatch", "weights-only-unpickling"}
    | {"checkpoint-not-found", "checkpoint-corrupted", "checkpoint-wrong-format", "checkpoint-hparams-missing"}
)
"""Where a run failed of the checkpoint that it began from, no child begins from that again."""


class NothingWrongError(RefusalError):
    """There is nothing to explain."""


class Explanation(msgspec.Struct, frozen=True):
    """What is said of a text or a run."""

    diagnoses: tuple[Diagnosis, ...]
    """The root cause first; empty where nothing can be said."""
    has_text: bool
    run: RunSnapshot | None = None
    advice: tuple[Advice, ...] = ()
    """On a run: what of it holds stands among the diagnoses too, where the run is in no trouble."""
    samples: int = 0
    """Of the hardware, that were looked at."""

    @property
    def report(self) -> str | None:
        """Of a run that something is wrong with."""
        return report_text(self.run, self.diagnoses[0]) if self.run is not None and self.diagnoses else None


def explain_text(text: str, first_line: int = 1) -> Explanation:
    """Diagnose a text; `first_line` is the number of its first line, where it is the end of a longer one."""
    return _explained(evidence_of_text(text, first_line=first_line))


def explain_file(path: Path) -> Explanation:
    """Diagnose a file of output; raises `OSError` where it cannot be read."""
    return _explained(evidence_of_file(path))


def explain_run(run: RunSnapshot) -> Explanation:
    """Diagnose a run.

    Raises:
        RecordError: it cannot be read any more.
    """
    return _explained(_evidence(run), run)


def _explained(evidence: Evidence, run: RunSnapshot | None = None) -> Explanation:
    has_text = any(output.text.strip() for output in evidence.outputs)
    advice = () if run is None else advice_of_run(_directory(run), run)
    return Explanation(_diagnoses(evidence, run, advice), has_text, run, advice, evidence.samples)


def _evidence(run: RunSnapshot) -> Evidence:
    return evidence_of_run(_directory(run), run)


def _directory(run: RunSnapshot) -> RunDirectory:
    return RunDirectory(Path(run.directory))


def _diagnoses(evidence: Evidence, run: RunSnapshot | None, advice: tuple[Advice, ...]) -> tuple[Diagnosis, ...]:
    """What went wrong; of a run in no trouble, with the advice on it."""
    found, trouble = diagnose(evidence), trouble_of(run)
    if run is not None and trouble is None and all(diagnosis.severity != "error" for diagnosis in found):
        return with_advice(found, advice)
    return order_of_trouble(found, trouble, bool(evidence.exceptions))


def keep_report(explanation: Explanation) -> Path | None:
    """Leave the report in the directory of a run that ended badly; its path, `None` where none was written."""
    run, found, report = explanation.run, explanation.diagnoses, explanation.report
    if run is None or report is None or not run.is_over or run.state is RunState.FINISHED:
        return None
    return write_report(_directory(run), report) if found[0].severity == "error" else None


# ------------------------------------------------------------------------------------------- of a run in trouble


def explain(run: RunSnapshot, environment: Environment | None, may_write: bool) -> Findings:
    """Diagnose a run in trouble, and work out what its suggestions would do; `may_write` the report.

    Raises:
        NothingWrongError: it is in no trouble.
        RecordError: it cannot be read any more.
    """
    trouble = trouble_of(run)
    if trouble is None:
        raise NothingWrongError("This run has no failure.")
    findings = findings_of(trouble, _evidence(run), run, environment)
    written = keep_report(Explanation(findings.diagnoses, True, run)) if may_write else None
    return msgspec.structs.replace(findings, report_path=None if written is None else str(written))


def findings_of(trouble: Trouble, evidence: Evidence, run: RunSnapshot, environment: Environment | None) -> Findings:
    """What the evidence says, and what its suggestions would do in this run on this machine."""
    found = order_of_trouble(diagnose(evidence), trouble, bool(evidence.exceptions))
    if not found:
        return Findings(trouble)
    root = found[0]
    fixes = _fixes(root, evidence, run, environment)
    return Findings(trouble, found, fixes, place_of(root, _directory(run).outputs(run.attempt)), report_text(run, root))


def fixes_of(run: RunSnapshot, environment: Environment | None) -> tuple[Diagnosis | None, tuple[Fix, ...]]:
    """The root cause, and what can be changed about it, the best first; neither where nothing is known to be wrong.

    Raises:
        RecordError: the run cannot be read any more.
    """
    evidence = _evidence(run)
    found = _diagnoses(evidence, run, () if trouble_of(run) is not None else advice_of_run(_directory(run), run))
    if not found:
        return None, ()
    # Where nothing failed, there is no root: the gravest that a change of the plan can better.
    curable = [each for each in found if any(suggestion.changes for suggestion in each.suggestions)]
    root = found[0] if found[0].severity == "error" or not curable else curable[0]
    return root, _fixes(root, evidence, run, environment)


# ---------------------------------------------------------------------------------------------- where it is said


def place_of(diagnosis: Diagnosis, outputs: Mapping[int, Path]) -> OutputPlace | None:
    """Which line of whose output file shows it. With several files, the one in which that line says the same."""
    number = diagnosis.evidence.line
    if number is None or not outputs:
        return None
    ranks = sorted(outputs, key=lambda rank: (rank != diagnosis.rank, rank))
    if len(ranks) == 1:
        return OutputPlace(ranks[0], number - 1)
    words = diagnosis.evidence.text[:40]
    return next((OutputPlace(rank, number - 1) for rank in ranks if words in _line(outputs[rank], number)), None)


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


def _fixes(root: Diagnosis, evidence: Evidence, run: RunSnapshot, environment: Environment | None) -> tuple[Fix, ...]:
    tried = tried_in_line(run)
    return in_order(
        _fix(number, suggestion, evidence, run, tried, _starts_for(suggestion.changes or {}, run, root), environment)
        for number, suggestion in enumerate(root.suggestions, 1)
        if suggestion.changes
    )


def _fix(
    number: int,
    suggestion: Suggestion,
    evidence: Evidence,
    run: RunSnapshot,
    tried: Mapping[frozenset[str], str],
    starts: tuple[Checkpoint, ...],
    environment: Environment | None,
) -> Fix:
    changes = suggestion.changes or {}
    shown = {name: value for name, value in changes.items() if value not in CHECKPOINT_WORDS}
    beginning, obstacle = _prospect(run.record, changes, starts, environment)
    return Fix(
        suggestion.text,
        changes,
        tuple(FieldChange(name, _before(name, evidence), value) for name, value in shown.items()),
        beginning,
        suggestion.trust,
        tried.get(frozenset(shown)),
        obstacle,
        number,
    )


def _before(name: str, evidence: Evidence) -> Any:
    value = evidence.value(name)
    if value is None and name == "batch_size":
        value = evidence.batch_size
    if value is None and name == "accumulate_grad_batches" and evidence.actual:
        value = 1
    return value


def _prospect(
    record: RunRecord, changes: Mapping[str, Any], starts: tuple[Checkpoint, ...], environment: Environment | None
) -> tuple[Beginning, str | None]:
    """From where a child with these changes would go on, and why it could not run here."""
    try:
        beginning, after = _beginning(record, changes, starts), plan_of_child(record, changes, None)
    except PlanError as error:
        return Beginning(reason="the plan cannot be read"), str(error)
    return beginning, _obstacle(after, record, environment)


def beginning_of(
    run: RunSnapshot, root: Diagnosis | None, changes: Mapping[str, Any], *, takes_unreadable: bool = False
) -> Beginning:
    """From where a child of the run with these changes goes on, the run having failed of `root`. A checkpoint that the
    changed plan cannot read is taken only where that is to be refused later.

    Raises:
        PlanError: the changes make no plan.
    """
    return _beginning(run.record, changes, _starts_for(changes, run, root), takes_unreadable=takes_unreadable)


def _beginning(
    record: RunRecord, changes: Mapping[str, Any], starts: tuple[Checkpoint, ...], *, takes_unreadable: bool = False
) -> Beginning:
    before, after = plan_of_child(record, {}, None), plan_of_child(record, changes, None)
    good = checkpoint_for(record, changes, starts)
    if good is None and after.ckpt_path == ANEW:
        return Beginning(reason="without the checkpoint of before, as the plan says")
    if good is None and after.ckpt_path is not None:
        return Beginning(reason=f"from {after.ckpt_path}, as the plan says")
    if good is None and starts:
        return Beginning(reason=f"{Path(starts[0].path).name}: {starts[0].problem or 'the run itself resumed from it'}")
    if good is None:
        return Beginning(reason="no checkpoint was saved")
    reason = why_not_resumable(good, before, after)
    if reason is not None and not takes_unreadable:
        return Beginning(reason=reason)
    return Beginning(good.path, good.global_step, good.epoch, good.saved_at, size=good.size)


def _obstacle(plan: Plan, record: RunRecord, environment: Environment | None) -> str | None:
    """Why a plan cannot work on this machine, where that is known without asking anybody."""
    if environment is None or environment.software is None:
        return None

    facts = machine_facts(environment)
    return next(find_obstacles(plan, facts=facts, interpreter=Path(record.program.interpreter)), None)


def _starts_for(changes: Mapping[str, Any], run: RunSnapshot, root: Diagnosis | None) -> tuple[Checkpoint, ...]:
    """Where the cure is to trust the checkpoint, it is begun from that."""
    return _starting_points(run, None if "weights_only" in changes else root)


def _starting_points(run: RunSnapshot, root: Diagnosis | None) -> tuple[Checkpoint, ...]:
    """The run's checkpoints, newest first, with the one that it began from itself: unless it has failed of that, where
    whole ones that lie beside it take its place."""
    found, source = checkpoints_of(_directory(run), run), run.record.resumed_from
    if root is not None and root.category in _SAYS_OF_THE_CHECKPOINT:
        own = tuple(checkpoint for checkpoint in found if checkpoint.path != source)
        return own or (neighbours_of(failed) if (failed := failed_checkpoint(run)) is not None else ())
    return tuple(_as_its_run_told(checkpoint, run) if checkpoint.path == source else checkpoint for checkpoint in found)


def _as_its_run_told(checkpoint: Checkpoint, run: RunSnapshot) -> Checkpoint:
    """The checkpoint that the run began from as the run that saved it knows it: its name need not say the step."""
    for parent, _ in _line_of_runs(run):
        try:
            told = checkpoints_of(parent, read_snapshot(parent))
        except RecordError:
            continue
        if same := [each for each in told if each.path == checkpoint.path and each.global_step is not None]:
            return same[0]
    return checkpoint


def tried_in_line(run: RunSnapshot) -> dict[frozenset[str], str]:
    """What the runs from which this one descends were relaunched with: the fields, and the run in which they were."""
    child = run.record
    tried: dict[frozenset[str], str] = {}
    for _, parent in _line_of_runs(run):
        changed = {name for name in {*child.plan, *parent.plan} if child.plan.get(name) != parent.plan.get(name)}
        is_anew = "ckpt_path" in changed and child.plan.get("ckpt_path") == ANEW
        tried.setdefault(frozenset(changed if is_anew else changed - {"ckpt_path"}), child.id)
        child = parent
    return tried


def _line_of_runs(run: RunSnapshot) -> Iterator[tuple[RunDirectory, RunRecord]]:
    """The run's parent, that one's parent, and so on, as far as they are still there."""
    record, directory = run.record, _directory(run)
    for _ in range(_LONGEST_LINE_OF_RUNS):
        if record.parent is None or Path(record.parent).name != record.parent:
            return
        directory = RunDirectory(directory.path.parent / record.parent)
        try:
            record = directory.read_record()
        except RecordError:
            return
        yield directory, record
