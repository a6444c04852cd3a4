"""May this program start under this plan? Then start it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from lightning_tui.environment import probe_software, with_software
from lightning_tui.launch import Program, start_run
from lightning_tui.launch.variables import planned_variables
from lightning_tui.plan.checks import check_plan
from lightning_tui.plan.facts import machine_facts
from lightning_tui.plan.model import Plan, PlanError
from lightning_tui.record import RecordError, RunDirectory, RunStore
from lightning_tui.services.machine import inspect_machine
from lightning_tui.services.programs import ProgramChoice, find_program, refuse_compromised
from lightning_tui.settings import Settings

EXAMPLE = ["demo"]

_RECENT_RUNS = 50
_OF_A_CLUSTER = (
    *("SLURM_JOB_ID", "SLURM_NTASKS", "TORCHELASTIC_RUN_ID", "MASTER_ADDR", "NODE_RANK", "GROUP_RANK"),
    *("LSB_JOBID", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "TPU_WORKER_ID"),
)
"""One of these is there where other nodes can find this one."""


def check_may_start(
    settings: Settings, environ: Mapping[str, str], interpreter: Path, plan: Plan, folder: Path | None = None
) -> None:
    """Refuse what must not run, and what surely cannot work on this machine, before anything is started.

    Raises:
        CompromisedReleaseError: the interpreter's Lightning must not be run.
        PlanError: the plan cannot work here.
    """
    software = probe_software(interpreter)
    refuse_compromised(software)
    _check_nodes(plan, environ)
    if plan.changes():
        facts = machine_facts(with_software(inspect_machine(settings, environ, folder=folder), software))
        check_plan(plan, facts=facts, interpreter=interpreter)


def _check_nodes(plan: Plan, environ: Mapping[str, str]) -> None:
    """Lightning waits for ever, and says nothing, for nodes of which nobody has told it where they are."""
    known = {*environ, *planned_variables(plan.changes())}
    if (plan.num_nodes or 1) > 1 and known.isdisjoint(_OF_A_CLUSTER):
        raise PlanError(
            f"num_nodes={plan.num_nodes}: nothing starts the other nodes here, and this one would wait for them for "
            "ever. Start it by `srun` or `torchrun`, or on each node with MASTER_ADDR, MASTER_PORT and NODE_RANK set; "
            "or take 1."
        )


def check_start(settings: Settings, environ: Mapping[str, str], choice: ProgramChoice, plan: Plan) -> Program:
    """Find the program and check that it may start under the plan.

    Raises:
        ProgramError: it is nothing that Python can run.
        CompromisedReleaseError, PlanError: see `check_may_start`.
    """
    program = find_program(choice, environ)
    check_may_start(settings, {**environ, **program.environment}, program.interpreter, plan, program.folder)
    return program


def start_checked(
    settings: Settings,
    environ: Mapping[str, str],
    program: Program,
    plan: Plan,
    max_restarts: int | None = None,
    stdin: int = subprocess.DEVNULL,
) -> RunDirectory:
    """Start a program that was checked; `max_restarts` are the settings' where they are not given.

    `stdin` is the descriptor that the program reads from.

    Raises:
        RecordError: the run directory cannot be made.
        LaunchError: nothing is running.
    """
    return start_run(
        RunStore(settings.runs_home),
        program,
        plan.changes(),
        environ=environ,
        stop_patience_s=settings.stop_patience_s,
        term_patience_s=settings.term_patience_s,
        max_restarts=settings.max_restarts if max_restarts is None else max_restarts,
        stdin=stdin,
    )


def start(settings: Settings, environ: Mapping[str, str], choice: ProgramChoice, plan: Plan) -> RunDirectory:
    """Check and start a program; raises as `check_start` and `start_checked` do."""
    return start_checked(settings, environ, check_start(settings, environ, choice, plan), plan)


def last_program(home: Path, folder: Path) -> list[str]:
    """What was run last in this folder, looked for among the most recent runs only; else the example."""
    try:
        directories = sorted(RunStore(home).directories(), key=lambda found: found.path.stat().st_mtime, reverse=True)
    except (RecordError, OSError):  # the list of runs, or a start, will say what is wrong with this place
        return EXAMPLE
    records = []
    for directory in directories[:_RECENT_RUNS]:
        try:
            records.append(directory.read_record())
        except RecordError:
            continue
    here = [record for record in records if record.program.folder == str(folder)]
    newest = max(here, key=lambda record: record.created_at, default=None)
    return newest.program.given if newest is not None else EXAMPLE
