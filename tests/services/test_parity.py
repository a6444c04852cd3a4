"""The command line and the cockpit give the same answer to the same question: a person may ask either."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lightning_tui.cli import main
from lightning_tui.plan.model import Plan, plan_from_mapping
from lightning_tui.record import RunDirectory, RunStore, read_snapshot
from lightning_tui.record.append import EventLog
from lightning_tui.record.directory import ProgramRecord
from lightning_tui.record.events import CheckpointSaved, DeviceMemory, Ended, Hello, Progress, TrainerField, TrainerSeen
from lightning_tui.refusal import RefusalError
from lightning_tui.services.cases import PlanCase
from lightning_tui.services.programs import ProgramChoice
from lightning_tui.settings import load_settings
from lightning_tui.ui.services import Services, real_services
from tests.record.events import make
from tests.record.test_checkpoints import write_zip
from tests.ui import machines

GIB = 1 << 30
NO_DEEPSPEED = "ImportError: To use the `DeepSpeedStrategy`, you must have DeepSpeed installed."
OUT_OF_MEMORY = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.11 GiB."


@pytest.fixture
def cockpit() -> Services:
    return real_services(load_settings(os.environ), dict(os.environ))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a program, and the current one."""
    (tmp_path / "x.py").write_text("print('hello')\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def store() -> RunStore:
    return RunStore(load_settings(os.environ).runs_home)


def choice(folder: Path, *given: str) -> ProgramChoice:
    return ProgramChoice(given or ("x.py",), folder, Path(sys.executable), True)


def said_by_both(capsys: pytest.CaptureFixture[str], arguments: list[str], ask: Callable[[], object]) -> str:
    """What the command says and the cockpit is refused with: the same."""
    code = main(arguments)
    said = capsys.readouterr().err.strip().splitlines()[-1].removeprefix("lightning-tui: ")
    with pytest.raises(RefusalError) as refused:
        ask()
    assert (said, code) == (str(refused.value), refused.value.exit_code)
    return said


def failed_run(folder: Path, error: str, plan: dict[str, Any], **told: Any) -> RunDirectory:
    program = ProgramRecord(label="x.py", given=["x.py"], folder=str(folder), interpreter=sys.executable)
    directory, _ = store().create(program=program, plan=plan, now=time.time() - 60, **told)
    directory.prepare_attempt(0)
    directory.output(0, 0).write_text(
        f"Traceback (most recent call last):\n  File 'x.py', line 1, in <module>\n{error}\n"
    )
    log = EventLog(directory.supervisor_log(0))
    log.append(Ended, code=1, signal=None, cause="program")
    log.close()
    return directory


def save(directory: RunDirectory, path: Path, step: int = 5) -> None:
    log = EventLog(directory.events(0) / "rank-0.jsonl")
    log.append(CheckpointSaved, path=str(path), epoch=0, global_step=step, size=None, seconds=None)
    log.close()


# -------------------------------------------------------------------------------------------------------- relaunching


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, folder: Path) -> list[dict[str, Any]]:
    """What would be started: nothing is, and every plan may."""
    asked: list[dict[str, Any]] = []

    def start_run(store: RunStore, program: Any, changes: dict[str, Any], **named: Any) -> RunDirectory:
        del named["environ"]  # the name of this test's phase stands in it
        asked.append({"given": program.given, "changes": changes, **named})
        return RunDirectory(store.home / "child")

    monkeypatch.setattr("lightning_tui.services.children.start_run", start_run)
    monkeypatch.setattr("lightning_tui.services.relaunching.check_may_start", lambda *asked: None)
    return asked


def relaunched_by_both(
    cockpit: Services, run: RunDirectory, started: list[dict[str, Any]], number: int
) -> tuple[dict[str, Any], str]:
    """What the command starts, which is what the cockpit starts, and why the child begins from the beginning."""
    assert main(["relaunch", run.id, "--fix", str(number), "--detach"]) == 0
    fix = next(fix for fix in cockpit.explain(read_snapshot(run), None, False).fixes if fix.number == number)
    cockpit.relaunch(run, fix)
    by_command, by_cockpit = started
    assert by_command == by_cockpit
    return by_command, fix.beginning.reason


def test_a_fix_begins_anew_where_it_cannot_read_a_deepspeed_checkpoint(
    cockpit: Services, folder: Path, started: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    run = failed_run(folder, NO_DEEPSPEED, {"strategy": "deepspeed_stage_2", "devices": 2})
    states = folder / "step=5.ckpt" / "checkpoint"
    states.mkdir(parents=True)
    write_zip(states / "mp_rank_00_model_states.pt")
    write_zip(states / "zero_pp_rank_0_mp_rank_00_optim_states.pt")
    (states.parent / "latest").write_text("checkpoint")
    save(run, states.parent)
    start, reason = relaunched_by_both(cockpit, run, started, 2)
    assert start["resumed_from"] is None
    assert start["changes"] == {"strategy": "fsdp", "devices": 2}
    assert "is a DeepSpeed folder" in reason
    assert f"starting without a checkpoint: {reason}" in capsys.readouterr().err


@pytest.mark.parametrize("is_torn", [False, True])
def test_a_fix_goes_on_from_a_checkpoint_that_is_whole(
    cockpit: Services, folder: Path, started: list[dict[str, Any]], capsys: pytest.CaptureFixture[str], is_torn: bool
) -> None:
    run = failed_run(folder, OUT_OF_MEMORY, {"precision": "32-true", "batch_size": 8})
    path = write_zip(folder / "last.ckpt")
    if is_torn:
        os.truncate(path, 60)
    save(run, path)
    number = cockpit.explain(read_snapshot(run), None, False).fixes[0].number
    start, reason = relaunched_by_both(cockpit, run, started, number)
    assert start["resumed_from"] == (None if is_torn else str(path))
    said = capsys.readouterr().err
    assert (
        f"starting without a checkpoint: {reason}" if is_torn else f"resuming from step 5 ({path.stat().st_size} B)"
    ) in said
    assert not is_torn or reason.startswith("last.ckpt: ")


def test_the_first_fix_is_the_one_that_was_not_tried_before(
    cockpit: Services, folder: Path, started: list[dict[str, Any]]
) -> None:
    parent = failed_run(folder, OUT_OF_MEMORY, {"batch_size": 8})
    first = cockpit.explain(read_snapshot(parent), cockpit.environment(), False).fixes[0]
    plan = plan_from_mapping({"batch_size": 8, **first.changes}).changes()
    child = failed_run(folder, OUT_OF_MEMORY, plan, parent=parent.id)
    fixes = cockpit.explain(read_snapshot(child), cockpit.environment(), False).fixes
    assert fixes[0].tried_in is None
    assert main(["relaunch", child.id, "--fix", "--detach"]) == 0
    cockpit.relaunch(child, fixes[0])
    assert started[0] == started[1]


def test_a_run_is_diagnosed_and_reported_alike(
    cockpit: Services, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = failed_run(folder, OUT_OF_MEMORY, {})
    found = cockpit.explain(read_snapshot(run), None, True)
    assert main(["diagnose", run.id, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["diagnoses"]
    assert [each["category"] for each in told] == [each.category for each in found.diagnoses]
    assert main(["diagnose", run.id, "--report"]) == 0
    assert capsys.readouterr().out == found.report
    assert found.report_path is not None
    assert Path(found.report_path).read_text() == found.report


# ----------------------------------------------------------------------------------------------- starting and control


def test_a_start_is_refused_alike(cockpit: Services, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    python = ["--python", sys.executable, "--"]
    said = said_by_both(
        capsys,
        ["run", "--strategy", "xla", *python, "x.py"],
        lambda: cockpit.start(choice(folder), Plan(strategy="xla")),
    )
    assert "needs a TPU" in said
    said = said_by_both(capsys, ["run", *python, "no.py"], lambda: cockpit.start(choice(folder, "no.py"), Plan()))
    assert "no.py" in said
    assert list(store().directories()) == []


def test_a_compromised_release_is_refused_for_whatever_would_run_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    info = folder / "site" / "lightning-2.6.3.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lightning\nVersion: 2.6.3\n")
    monkeypatch.setenv("PYTHONPATH", str(folder / "site"))
    cockpit = real_services(load_settings(os.environ), dict(os.environ))
    case = PlanCase(Plan(), choice(folder), None)
    program = ["--python", sys.executable, "--", "x.py"]
    for arguments, ask in (
        (["run"], lambda: cockpit.start(choice(folder), Plan())),
        (["tune", "lr"], lambda: cockpit.tune("lr", choice(folder), Plan(), lambda step: None, lambda: False)),
        (["estimate"], lambda: cockpit.plans.measure(case, lambda: False)),
    ):
        assert "lightning 2.6.3" in said_by_both(capsys, [*arguments, *program], ask)


def test_a_run_that_is_over_is_neither_stopped_nor_killed_nor_adopted(
    cockpit: Services, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = failed_run(folder, OUT_OF_MEMORY, {})
    assert cockpit.adopt is not None
    for command, ask in (("stop", cockpit.stop), ("kill", cockpit.kill), ("adopt", cockpit.adopt)):
        said = said_by_both(capsys, [command, run.id], lambda ask=ask: ask(run))  # type: ignore[misc]
        assert run.id in said
    said = said_by_both(capsys, ["pause", run.id], lambda: cockpit.tell(run, "pause", {}))
    assert "has already ended" in said


def test_a_run_without_supervisor_and_processes_is_gone_for_both(
    cockpit: Services, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = ProgramRecord(label="x.py", given=["x.py"], folder=str(folder), interpreter=sys.executable)
    run, _ = store().create(program=program, plan={}, now=time.time() - 3600)
    assert "is lost" in said_by_both(capsys, ["stop", run.id], lambda: cockpit.stop(run))
    assert cockpit.adopt is not None
    adopt = cockpit.adopt
    assert "has never started" in said_by_both(capsys, ["adopt", run.id], lambda: adopt(run))


# -------------------------------------------------------------------------------------------------------------- plans


def test_the_estimate_is_calibrated_by_an_earlier_run(
    cockpit: Services, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("probe_program", "remembered_probe"):
        monkeypatch.setattr(f"lightning_tui.services.estimating.{name}", lambda *asked, **named: machines.gpt_probe())
    plan = Plan(strategy="ddp", precision="bf16-mixed", devices=2)
    software = cockpit.software(Path(sys.executable))
    machine = machines.replace_struct(cockpit.environment(), software=software)
    case = PlanCase(plan, choice(folder), machine)
    before = cockpit.plans.judge(case).memory
    run = trained_run(folder, peak=30 * GIB)
    memory = real_services(load_settings(os.environ), dict(os.environ)).plans.judge(case).memory
    assert before is not None
    assert memory is not None
    assert memory.present != before.present
    arguments = ["estimate", "--json", "--strategy", "ddp", "--precision", "bf16-mixed", "--devices", "2"]
    assert main([*arguments, "--python", sys.executable, "--", "x.py"]) == 0
    told = capsys.readouterr()
    assert f"the run {run.id} took 30 GiB of a GPU: the estimate is calibrated with it" in told.err
    present = json.loads(told.out)["present"]
    assert (present["low"], present["high"]) == (memory.present.low, memory.present.high)


def trained_run(folder: Path, peak: int) -> RunDirectory:
    program = ProgramRecord(label="x.py", given=["x.py"], folder=str(folder), interpreter=sys.executable)
    directory, _ = store().create(program=program, plan={}, now=time.time() - 60)
    directory.prepare_attempt(0)
    used: dict[str, Any] = {"strategy": "ddp", "precision": "bf16-mixed", "batch_size": 32}
    fields = {name: TrainerField(None, None, value) for name, value in used.items()}
    memory: dict[str, Any] = {"device": "cuda:0", "uuid": None, "allocated": 1, "reserved": 1, "total": 80 * GIB}
    events: list[Any] = [make(Hello, rank=0), make(Progress, global_step=10)]
    events += [make(TrainerSeen, world_size=2, fields=fields)]
    events += [make(DeviceMemory, peak_allocated=peak, peak_reserved=peak, **memory)]
    lines = [msgspec.json.encode(event) + b"\n" for event in events]
    (directory.events(0) / "rank-0.jsonl").write_bytes(b"".join(lines))
    return directory


def test_the_same_is_recommended_and_the_same_stands_in_the_way(
    cockpit: Services, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = Plan(accelerator="cpu", strategy="fsdp")
    main(["plan", "--json", "--accelerator", "cpu", "--strategy", "fsdp", "--python", sys.executable, "--", "x.py"])
    told = json.loads(capsys.readouterr().out)
    software = cockpit.software(Path(sys.executable))
    case = PlanCase(plan, choice(folder), machines.replace_struct(cockpit.environment(), software=software))
    judged = cockpit.plans.judge(case)
    assert judged.problems[0] == told["refused"]
    assert {**judged.recommended, **plan.changes()} == told["plan"]
    best = [found.name for found in cockpit.plans.choices("strategy", case, True).choices if found.recommended]
    assert best == [found["name"] for found in told["strategies"] if found["recommended"]]


def test_a_saved_plan_is_a_plan_file_and_is_exported_alike(
    cockpit: Services, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = Plan(strategy="ddp", precision="bf16-mixed", devices=2)
    program = ProgramChoice(("x.py", "--api-key", "hf_abcdefgh12345"), folder, Path(sys.executable), False)
    case = PlanCase(plan, program, None)
    path = cockpit.plans.save(case, "mine")
    exports = {export.title.lower(): export.text for export in cockpit.plans.exports(case)}
    for form in ("command", "python", "yaml"):
        words = ["--python", sys.executable] if form != "command" else []
        assert main(["export", "--plan", str(path), "--as", form, *words, "--", *program.given]) == 0
        assert capsys.readouterr().out == exports[form], form


def test_a_run_is_exported_as_its_plan_is(
    cockpit: Services, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = failed_run(folder, OUT_OF_MEMORY, {"strategy": "ddp"})
    monkeypatch.chdir("/")
    assert main(["export", run.id, "--as", "command"]) == 0
    case = PlanCase(plan_from_mapping(run.read_record().plan), choice(folder), None)
    assert capsys.readouterr().out == cockpit.plans.exports(case)[0].text
