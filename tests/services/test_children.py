"""A run again with something changed: what its plan becomes, from where it goes on, and when it is refused."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lightning_tui.launch import request
from lightning_tui.launch.local import LaunchError
from lightning_tui.plan.comparison import changed_fields
from lightning_tui.plan.model import Plan, PlanError
from lightning_tui.record import RecordError, RunDirectory, RunRecord, RunState, read_snapshot
from lightning_tui.record.checkpoints import Checkpoint
from lightning_tui.record.directory import ProgramRecord
from lightning_tui.record.masking import MASK
from lightning_tui.services.children import checkpoint_for, plan_of_child, relaunch, why_not_resumable
from lightning_tui.settings import Settings
from tests.launch.support import SAY, Runs, output, wait_for_end
from tests.record.test_checkpoints import write_zip

TELL_PLAN = SAY + (
    "import json\n"
    "record = json.loads((Path(os.environ['LIGHTNING_TUI_RUN_DIR']) / 'run.json').read_text())\n"
    "print(sys.argv[1:], record['plan'], os.getcwd())\n"
)


def record(plan: Mapping[str, Any], **changes: Any) -> RunRecord:
    program = ProgramRecord(label="train.py", given=["train.py"], folder="/", interpreter=sys.executable)
    plain = RunRecord(id="train-1", created_at=0.0, program=program, plan=dict(plan))
    return msgspec.structs.replace(plain, **changes)


def child(plan: Mapping[str, Any], changes: Mapping[str, Any], checkpoint: str | None = None, **more: Any) -> Any:
    return plan_of_child(record(plan, **more), changes, checkpoint).changes()


def test_a_child_has_its_parents_plan_with_the_changes() -> None:
    assert child({"max_epochs": 3, "precision": "16-mixed"}, {"precision": "bf16-mixed", "batch-size": 8}) == {
        "max_epochs": 3,
        "precision": "bf16-mixed",
        "batch_size": 8,
    }
    assert child({"max_epochs": 3, "precision": "16-mixed"}, {"precision": None}) == {"max_epochs": 3}
    with pytest.raises(PlanError, match="precision"):
        child({}, {"precision": "17-mixed"})
    with pytest.raises(PlanError, match="not a field"):
        child({"nonsense": 1}, {})


@pytest.mark.parametrize(
    ("plan", "changes", "checkpoint", "resumed_from", "expected"),
    [
        ({}, {}, "/a.ckpt", None, "/a.ckpt"),
        ({"ckpt_path": "/typed.ckpt"}, {}, "/a.ckpt", None, "/a.ckpt"),
        ({"ckpt_path": "/typed.ckpt"}, {}, None, None, "/typed.ckpt"),
        ({"ckpt_path": "/old.ckpt"}, {}, None, "/old.ckpt", None),
        ({"ckpt_path": "/typed.ckpt"}, {"ckpt_path": None}, None, None, None),
        ({"ckpt_path": "/broken.ckpt"}, {"ckpt_path": "last"}, None, None, None),
        ({"ckpt_path": "/broken.ckpt"}, {"ckpt_path": "last"}, "/a.ckpt", None, "/a.ckpt"),
        ({}, {"ckpt_path": "/other.ckpt"}, None, None, "/other.ckpt"),
    ],
)
def test_where_a_child_goes_on_from(
    plan: dict[str, Any],
    changes: dict[str, Any],
    checkpoint: str | None,
    resumed_from: str | None,
    expected: str | None,
) -> None:
    assert child(plan, changes, checkpoint, resumed_from=resumed_from).get("ckpt_path") == expected


def test_the_difference_of_two_plans_has_both_values() -> None:
    before, after = Plan(precision="32-true", devices=2), Plan(devices=2, batch_size=4)
    assert changed_fields(before, after) == {"precision": ("32-true", None), "batch_size": (None, 4)}


def checkpoint(path: str, problem: str | None = None, *, is_complete: bool = True) -> Checkpoint:
    return Checkpoint(
        path=path, global_step=1, epoch=0, size=1, saved_at=1.0, metrics={}, is_complete=is_complete, problem=problem
    )


def test_the_cure_of_a_checkpoint_is_another_one() -> None:
    found = [checkpoint("/torn", "torn", is_complete=False), checkpoint("/begun"), checkpoint("/older")]
    assert checkpoint_for(record({"ckpt_path": "/begun"}), {}, found) == found[1]
    assert checkpoint_for(record({"ckpt_path": "/begun"}), {"ckpt_path": "last"}, found) == found[2]
    assert checkpoint_for(record({}), {}, found[:1]) is None


@pytest.mark.parametrize(
    ("kind", "before", "after", "says"),
    [
        ("file", Plan(strategy="ddp"), Plan(strategy="fsdp"), None),
        ("file", Plan(strategy="fsdp"), Plan(strategy="ddp"), None),
        (
            "file",
            Plan(strategy="ddp"),
            Plan(strategy="deepspeed_stage_2"),
            "DeepSpeed can only resume from its own folders",
        ),
        ("sharded", Plan(strategy="fsdp"), Plan(strategy="fsdp_cpu_offload"), None),
        ("sharded", Plan(strategy="fsdp"), Plan(strategy="ddp"), "strategy ddp cannot read it"),
        ("sharded", Plan(strategy="fsdp"), Plan(strategy="model_parallel"), "saved under FSDP"),
        ("sharded", Plan(), Plan(batch_size=2), None),
        ("sharded", Plan(strategy="fsdp"), Plan(), "the script's strategy"),
        ("deepspeed", Plan(strategy="deepspeed_stage_2"), Plan(strategy="deepspeed_stage_2", batch_size=4), None),
        ("deepspeed", Plan(strategy="deepspeed_stage_2"), Plan(strategy="deepspeed_stage_3"), "ZeRO stage"),
        ("deepspeed", Plan(strategy="deepspeed", devices=4), Plan(strategy="deepspeed", devices=2), "Keep devices"),
        ("deepspeed", Plan(strategy="deepspeed"), Plan(strategy="fsdp"), "DeepSpeed folder"),
    ],
)
def test_what_a_strategy_can_read(tmp_path: Path, kind: str, before: Plan, after: Plan, says: str | None) -> None:
    path = tmp_path / "a.ckpt"
    if kind == "file":
        write_zip(path)
    else:
        path.mkdir()
        (path / (".metadata" if kind == "sharded" else "latest")).write_text("checkpoint")
    reason = why_not_resumable(checkpoint(str(path)), before, after)
    assert (reason is None) if says is None else says in (reason or "")


# ------------------------------------------------------------------------------------------------------ real runs


def settings(runs: Runs) -> Settings:
    return Settings(runs_home=runs.store.home, runs_home_reason="")


def again(runs: Runs, parent: RunDirectory, changes: Mapping[str, Any] | None = None, **more: Any) -> RunDirectory:
    more = {"checkpoint": None, "environ": os.environ, **more}
    return relaunch(settings(runs), parent, changes or {}, **more)


def test_the_same_program_runs_again_where_it_ran(runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parent = runs.start(TELL_PLAN, "--lr", "1")
    wait_for_end(parent)
    saved = write_zip(tmp_path / "epoch=0-step=5.ckpt")
    monkeypatch.chdir(tmp_path)
    first = again(runs, parent, {"max_epochs": 2}, checkpoint=str(saved))
    assert wait_for_end(first).state is RunState.FINISHED
    plan = {"max_epochs": 2, "ckpt_path": str(saved)}
    assert output(first).split("\n")[0] == f"['--lr', '1'] {plan} {runs.folder}"
    made = first.read_record()
    assert (made.parent, made.resumed_from) == (parent.id, str(saved))
    second = again(runs, first, {"max_epochs": 4})
    assert wait_for_end(second).record.plan == {"max_epochs": 4}
    assert second.read_record().parent == first.id


def test_a_run_that_is_alive_is_left_alone_unless_told(runs: Runs) -> None:
    parent = runs.start(SAY + "say('up')\nwait_for('end')\n")
    runs.wait_for("up")
    with pytest.raises(LaunchError, match="still alive"):
        again(runs, parent)
    beside = again(runs, parent, beside=True)
    (runs.folder / "end").write_text("")
    assert {wait_for_end(each).state for each in (parent, beside)} == {RunState.FINISHED}


def test_two_that_live_never_write_to_one_place(runs: Runs) -> None:
    parent = runs.start(SAY + "say('up')\nwait_for('end')\n")
    runs.wait_for("up")
    path = parent.path / "run.json"
    path.write_text(path.read_text().replace('"plan": {}', '"plan": {"default_root_dir": "/out"}'))
    with pytest.raises(LaunchError, match="writes to default_root_dir=/out"):
        again(runs, parent, beside=True)
    request(parent, "kill")
    wait_for_end(parent)


def test_what_cannot_be_started_again_says_why(runs: Runs, tmp_path: Path) -> None:
    parent = runs.start("print(1)\n", "--token", "abc")
    wait_for_end(parent)
    assert MASK in parent.read_record().program.given
    with pytest.raises(LaunchError, match="Give the program again"):
        again(runs, parent)
    child = again(runs, parent, given=["program.py", "--token", "abc"])
    assert wait_for_end(child).state is RunState.FINISHED
    given = ["program.py"]
    for gone, says in (("gone.ckpt", "does not exist"), (str(tmp_path), "is incomplete")):
        with pytest.raises(LaunchError, match=says):
            again(runs, parent, given=given, checkpoint=gone)
    torn = write_zip(tmp_path / "torn.ckpt")
    os.truncate(torn, 50)
    with pytest.raises(LaunchError, match="its end is missing"):
        again(runs, parent, given=given, checkpoint=str(torn))
    with pytest.raises(LaunchError, match="DeepSpeed"):
        again(runs, parent, {"strategy": "deepspeed"}, given=given, checkpoint=str(write_zip(tmp_path / "a.ckpt")))
    (runs.folder / "program.py").unlink()
    with pytest.raises(LaunchError, match="cannot be started again"):
        again(runs, parent, given=given)


@pytest.mark.parametrize(
    ("field", "says"), [("folder", "folder no longer exists"), ("interpreter", "which no longer exists")]
)
def test_a_place_that_is_gone_is_named(runs: Runs, field: str, says: str) -> None:
    there = {"folder": str(runs.folder), "interpreter": sys.executable, field: "/nowhere"}
    program = ProgramRecord(label="a", given=["a.py"], **there)
    parent, _ = runs.store.create(program=program, plan={}, now=0.0)
    with pytest.raises(LaunchError, match=says):
        again(runs, parent)
    (parent.path / "run.json").write_text("{")
    with pytest.raises(RecordError):
        again(runs, parent)
    assert [each.id for each in runs.store.directories()] == [parent.id]


def test_a_child_keeps_how_often_it_may_be_restarted(runs: Runs) -> None:
    program = ProgramRecord(label="p", given=["program.py"], folder=str(runs.folder), interpreter=sys.executable)
    (runs.folder / "program.py").write_text("")
    parent, _ = runs.store.create(program=program, plan={}, now=0.0, max_restarts=3)
    child = again(runs, parent)
    assert read_snapshot(child).record.max_restarts == 3
    wait_for_end(child)
