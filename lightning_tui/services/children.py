"""What is a run's child, and can it be? The same program in the same place, from a checkpoint or from the start."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning_tui.launch.local import LaunchError, start_run
from lightning_tui.launch.program import Program, ProgramError
from lightning_tui.record.checkpoints import Checkpoint, is_deepspeed, is_sharded, last_good, whats_torn
from lightning_tui.record.directory import RunDirectory, RunRecord
from lightning_tui.record.masking import MASK
from lightning_tui.record.reader import read_snapshot
from lightning_tui.record.store import RunStore, may_be_alive
from lightning_tui.services.programs import ProgramChoice, find_program
from lightning_tui.settings import Settings

if TYPE_CHECKING:
    from lightning_tui.plan.model import Plan

ANEW = "none"
"""In place of a checkpoint: from the beginning, although the script itself passes one."""
CHECKPOINT_WORDS = ("last", "best")
"""What Lightning looks up in the run's own folder: in a child's, which is new, it would find nothing."""


def relaunch(
    settings: Settings,
    parent: RunDirectory,
    changes: Mapping[str, Any],
    *,
    checkpoint: str | None,
    environ: Mapping[str, str],
    given: Sequence[str] | None = None,
    beside: bool = False,
    max_restarts: int | None = None,
) -> RunDirectory:
    """Start a child of `parent`: its program, folder and interpreter, under its plan with `changes`.

    `checkpoint` is the path that it goes on from; `None` begins anew. `given` are the program's words where they are
    to be others than the recorded ones. A parent that is alive is refused, unless the child shall run `beside` it.

    Raises:
        RecordError: the parent cannot be read, or the child's directory cannot be made.
        PlanError: the changes make no plan.
        LaunchError: the program, its folder or interpreter is gone; its words hold secrets that were not recorded;
            the parent is alive; the checkpoint is gone, torn, or none that the plan can read; nothing is running.
    """
    snapshot = read_snapshot(parent)
    record = snapshot.record
    plan = plan_of_child(record, changes, checkpoint)
    program = program_of_run(record, given, environ)
    if not snapshot.is_over or may_be_alive(parent):
        _check_beside(record, plan, beside)
    if checkpoint is not None:
        _check_checkpoint(checkpoint, record, plan)
    return start_run(
        RunStore(settings.runs_home),
        program,
        plan.changes(),
        environ=environ,
        parent=record.id,
        resumed_from=checkpoint,
        stop_patience_s=settings.stop_patience_s,
        term_patience_s=settings.term_patience_s,
        max_restarts=record.max_restarts if max_restarts is None else max_restarts,
    )


def plan_of_child(record: RunRecord, changes: Mapping[str, Any], checkpoint: str | None) -> Plan:
    """The plan that a child of this run would have: the run's own, `changes`, and the checkpoint it goes on from.

    A change to `None` takes a field back to "as the script says". Without a checkpoint the child begins anew: a
    `ckpt_path` that an earlier relaunch has set is dropped, one that a person typed stays.

    Raises:
        PlanError: an unknown field, or a value that cannot be meant.
    """
    from lightning_tui.plan.model import plan_from_mapping

    inherited = dict(record.plan)
    if record.resumed_from is not None and inherited.get("ckpt_path") == record.resumed_from:
        del inherited["ckpt_path"]
    changed = {name.replace("-", "_"): value for name, value in changes.items()}
    if changed.get("ckpt_path") in CHECKPOINT_WORDS:
        changed["ckpt_path"] = None
    resumed = {} if checkpoint is None else {"ckpt_path": checkpoint}
    return plan_from_mapping({**inherited, **changed, **resumed})


def checkpoint_for(
    record: RunRecord, changes: Mapping[str, Any], checkpoints: Sequence[Checkpoint]
) -> Checkpoint | None:
    """The checkpoint from which a child with these changes best goes on, of the run's own, newest first.

    Changes that replace `ckpt_path` are the cure for the checkpoint that the run itself went on from: not that one.
    """
    if changes.get("ckpt_path") == ANEW:
        return None
    unwanted = record.plan.get("ckpt_path") if "ckpt_path" in changes else None
    return last_good(checkpoint for checkpoint in checkpoints if checkpoint.path != unwanted)


def why_not_resumable(checkpoint: Checkpoint | str, before: Plan, after: Plan) -> str | None:
    """Why a run under the plan `after` could not read a checkpoint that one under `before` saved; `None`: it can.

    What each strategy reads: `load_checkpoint` in `lightning/pytorch/strategies/{deepspeed,fsdp,model_parallel}.py`.
    """
    path = checkpoint if isinstance(checkpoint, str) else checkpoint.path
    if "://" in path:
        return None
    old, new = _family(before.strategy), _family(after.strategy)
    if Path(path).is_dir():
        if is_deepspeed(Path(path)):
            return _why_not_deepspeed(path, before, after)
        if is_sharded(Path(path)) and new != old:
            saved = _NAMES.get(old, "FSDP or ModelParallel")
            return f"{path} is sharded, saved under {saved}: {_shown(after)} cannot read it. {_KEEP}"
        return None
    if new == "deepspeed" and old != "deepspeed":
        return f"{path} is one file, and DeepSpeed can only resume from its own folders. {_BEGIN_ANEW}"
    return None


_NAMES = {"fsdp": "FSDP", "model_parallel": "ModelParallel", "deepspeed": "DeepSpeed"}
_BEGIN_ANEW = "Start without a checkpoint, or keep the strategy."
_KEEP = "Keep the strategy, or start without a checkpoint."


def _family(strategy: str | None) -> str:
    plain = (strategy or "as the script says").lower().replace("-", "_")
    return next((name for name in _NAMES if plain.startswith(name)), plain if strategy is None else "other")


def _shown(plan: Plan) -> str:
    return f"strategy {plan.strategy}" if plan.strategy else "the script's strategy"


def _why_not_deepspeed(path: str, before: Plan, after: Plan) -> str | None:
    """ZeRO's partitions are for one number of ranks, and stage 3 has others than the stages before it."""
    if _family(after.strategy) != _family(before.strategy):
        return f"{path} is a DeepSpeed folder: {_shown(after)} cannot read it. {_KEEP}"
    if (before.devices, before.num_nodes) != (after.devices, after.num_nodes):
        return (
            f"{path} is a DeepSpeed folder: it can only be resumed with the number of ranks that saved it. "
            "Keep devices and num_nodes."
        )
    if _partitions_parameters(before) != _partitions_parameters(after):
        return f"{path} is a DeepSpeed folder of another ZeRO stage. Keep the stage, or start without a checkpoint."
    return None


def _partitions_parameters(plan: Plan) -> bool:
    return plan.deepspeed_stage == 3 if plan.deepspeed_stage is not None else "stage_3" in (plan.strategy or "")


def program_of_run(record: RunRecord, given: Sequence[str] | None, environ: Mapping[str, str]) -> Program:
    """What the run ran, found again; `given` are its words where they are to be others than the recorded ones.

    Raises:
        LaunchError: it cannot be started as it was.
    """
    recorded = record.program
    words = list(recorded.given) if given is None else list(given)
    if any(MASK in word for word in words):
        raise LaunchError(
            f"The program of {record.id} was started with a secret, which is never recorded: "
            f"{' '.join(words)}. Give the program again: lightning-tui relaunch {record.id} -- PROGRAM [ARGS...]"
        )
    folder, interpreter = Path(recorded.folder), Path(recorded.interpreter)
    if not folder.is_dir():
        raise LaunchError(
            f"{record.id} ran in {folder}, and that folder no longer exists. Start the program from its present folder."
        )
    if not os.access(interpreter, os.X_OK):
        raise LaunchError(
            f"{record.id} ran with {interpreter}, which no longer exists. Create it again, or start the "
            "program with another one: lightning-tui run --python PATH -- PROGRAM"
        )
    try:
        return find_program(ProgramChoice(tuple(words), folder, interpreter, True), environ)
    except ProgramError as error:
        raise LaunchError(
            f"The program of {record.id} cannot be started again: {error} "
            f"Or give the program again: lightning-tui relaunch {record.id} -- PROGRAM [ARGS...]"
        ) from error


def _check_beside(record: RunRecord, plan: Plan, beside: bool) -> None:
    if not beside:
        raise LaunchError(
            f"{record.id} is still alive. Stop it first: lightning-tui stop {record.id}. "
            "Or let both train at the same time: --beside"
        )
    for name in ("default_root_dir", "checkpoint_dir"):
        place = getattr(plan, name)
        if place is not None and place == record.plan.get(name):
            raise LaunchError(
                f"{record.id} is still alive and writes to {name}={place}, and the new run would too. "
                f"Stop it first, or choose another place: --set {name}=PATH"
            )


def _check_checkpoint(checkpoint: str, record: RunRecord, plan: Plan) -> None:
    if "://" not in checkpoint:
        path = Path(record.program.folder, checkpoint)
        if not path.exists():
            raise LaunchError(
                f"The checkpoint {checkpoint} does not exist. List the checkpoints: lightning-tui show {record.id}"
            )
        torn = whats_torn(path, was_told=True)
        if torn is not None:
            raise LaunchError(
                f"The checkpoint {checkpoint} is incomplete: {torn}. Choose another one, or start without a checkpoint."
            )
    reason = why_not_resumable(checkpoint, plan_of_child(record, {}, None), plan)
    if reason is not None:
        raise LaunchError(reason)
