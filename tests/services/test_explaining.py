"""What is made of a run in trouble: where it is said, what was tried, from where a child goes on, and its report."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path
from typing import Any

import msgspec

from lightning_tui.diagnosis import evidence_of_text
from lightning_tui.diagnosis.model import EvidenceLine
from lightning_tui.launch.report import write_report
from lightning_tui.record import RunDirectory, RunStore
from lightning_tui.record.directory import ProgramRecord
from lightning_tui.record.events import CheckpointSaved
from lightning_tui.services.explaining import findings_of, place_of, tried_in_line
from lightning_tui.services.findings import (
    Beginning,
    OutputPlace,
    Trouble,
    in_order,
    order_of_trouble,
    trouble_of,
)
from tests.ui import scenes
from tests.ui.machines import replace_struct
from tests.ui.test_failures import diagnosis, fix


def test_the_report_is_written_whole_for_its_owner_alone(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    elsewhere = tmp_path / "elsewhere.txt"
    elsewhere.write_text("theirs")
    (tmp_path / "report.txt").symlink_to(elsewhere)
    path = write_report(directory, "what happened\n")
    assert path is not None
    assert path.read_text() == "what happened\n"
    assert elsewhere.read_text() == "theirs"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["elsewhere.txt", "report.txt"]
    assert write_report(RunDirectory(tmp_path / "gone"), "nobody reads it") is None


def test_with_several_outputs_the_evidence_is_where_the_line_says_so(tmp_path: Path) -> None:
    outputs = {rank: tmp_path / f"{rank}.log" for rank in range(3)}
    for rank, path in outputs.items():
        path.write_text("one\n" + ("[rank2]: ValueError: no such colour\n" if rank == 2 else "two\n"))
    seen = diagnosis(evidence=EvidenceLine(2, "ValueError: no such colour"), rank=0)
    assert place_of(seen, outputs) == OutputPlace(2, 1)
    assert place_of(seen, {0: outputs[0]}) == OutputPlace(0, 1), "one file holds the output of all"
    assert place_of(seen, {}) is None
    assert place_of(diagnosis(), outputs) is None
    assert place_of(diagnosis(evidence=EvidenceLine(99, "ValueError")), outputs) is None


def test_the_first_fix_is_one_that_can_work_and_was_not_tried() -> None:
    tried, new, blocked, risky = fix(tried_in="a-1"), fix(), fix(obstacle="no GPU"), fix(trust=True)
    assert in_order([blocked, risky, tried, new]) == (new, tried, risky, blocked)


def test_what_was_tried_is_told_by_the_records_of_a_runs_parents(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    program = ProgramRecord(label="x.py", given=["x.py"], folder="/", interpreter="/usr/bin/python")

    def made(plan: dict[str, Any], parent: str | None) -> str:
        return store.create(program=program, plan=plan, now=1.0, parent=parent)[1].id

    first = made({"precision": "32-true"}, None)
    second = made({"precision": "32-true", "batch_size": 16, "accumulate_grad_batches": 2}, first)
    third = made({"precision": "bf16-mixed", "batch_size": 16, "accumulate_grad_batches": 2, "ckpt_path": "/c"}, second)
    run = scenes.failed(tmp_path)
    directory = RunDirectory(tmp_path / third)
    seen = replace_struct(run, record=directory.read_record(), directory=str(directory.path))
    assert tried_in_line(seen) == {
        frozenset({"precision"}): third,
        frozenset({"batch_size", "accumulate_grad_batches"}): second,
    }
    orphan = replace_struct(seen.record, parent="../../etc")
    assert tried_in_line(replace_struct(seen, record=orphan)) == {}


def test_a_child_goes_on_from_where_its_parent_began_unless_that_is_what_failed(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    program = ProgramRecord(label="x.py", given=["x.py"], folder="/", interpreter="/usr/bin/python")
    first, _ = store.create(program=program, plan={}, now=1.0)
    path = first.checkpoints / "last.ckpt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"nothing")
    saved = CheckpointSaved(seq=0, time=5.0, path=str(path), epoch=3, global_step=400, size=None, seconds=0.1)
    (first.events(0) / "rank-0.jsonl").write_bytes(msgspec.json.encode(saved) + b"\n")
    second, record = store.create(
        program=program, plan={"ckpt_path": str(path)}, now=2.0, parent=first.id, resumed_from=str(path)
    )
    run = replace_struct(scenes.failed(tmp_path), record=record, directory=str(second.path), checkpoints=())
    trouble = trouble_of(run)
    assert trouble is not None

    def beginning(text: str, batch_size: int = 32) -> Beginning:
        evidence = replace_struct(evidence_of_text(text), batch_size=batch_size)
        return findings_of(trouble, evidence, run, None).fixes[0].beginning

    assert beginning(scenes.TRACEBACK) == Beginning(str(path), 400, 3, 5.0, size=137)
    torn = "RuntimeError: PytorchStreamReader failed reading zip archive: failed finding central directory"
    assert (
        beginning(f"Traceback (most recent call last):\n  File 'x.py', line 1, in <module>\n{torn}\n").checkpoint
        is None
    )
    path.write_bytes(b"PK\x03\x04 torn")
    assert "last.ckpt: its end is missing" in beginning(scenes.TRACEBACK).reason
    path.unlink()
    assert beginning(scenes.TRACEBACK).reason == "no checkpoint was saved"


def test_of_a_run_that_stands_still_standing_still_is_the_trouble() -> None:
    caught, stall = diagnosis(category="nan-loss"), diagnosis(category="stall")
    stalled, ended = Trouble("/r", 0, "stalled"), Trouble("/r", 0, "ended")
    assert order_of_trouble((caught, stall), stalled, has_raised=False)[0] is stall
    assert order_of_trouble((caught, stall), stalled, has_raised=True)[0] is caught
    assert order_of_trouble((caught, stall), ended, has_raised=False)[0] is caught
