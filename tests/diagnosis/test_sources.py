"""Evidence from files of any size and from run directories, the report of a run, and what is computed of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from lightning_tui.diagnosis import diagnose, evidence_of_file, evidence_of_run, evidence_of_text, report_text
from lightning_tui.diagnosis.changes import COMPUTED
from lightning_tui.diagnosis.growth import steady_growth
from lightning_tui.diagnosis.model import Evidence
from lightning_tui.diagnosis.report import flags, masked
from lightning_tui.diagnosis.sources import HEAD_BYTES, TAIL_BYTES
from lightning_tui.diagnosis.templates import fill
from lightning_tui.record import GpuSample, HostSample, RunDirectory, RunRecord, read_snapshot
from lightning_tui.record.directory import ProgramRecord
from lightning_tui.record.events import (
    DeviceMemory,
    Ended,
    Event,
    ExceptionRaised,
    Hello,
    ProgramEnd,
    Progress,
    RankGone,
    Sampled,
    StageChanged,
    SupervisorStarted,
    TrainerField,
    TrainerSeen,
)
from tests.diagnosis.test_engine import OOM, USER_ERROR
from tests.record.events import make

GIB = 1 << 30
PASSWORD = "hunter2hunter2"


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    directory = RunDirectory(tmp_path / "train-abc123")
    program = ProgramRecord(label="train.py", given=["train.py", "--lr", "1"], folder="/w", interpreter="/v/bin/python")
    directory.create(RunRecord(id="train-abc123", created_at=1.0, program=program, plan={"precision": "32-true"}))
    return directory


def write(path: Path, *events: Event) -> None:
    encoder = msgspec.json.Encoder()
    path.write_bytes(b"".join(encoder.encode(event) + b"\n" for event in events))


def record(run: RunDirectory, events: dict[int, list[Event]], *supervisor: Event, output: str = "") -> Evidence:
    write(run.supervisor_log(0), make(SupervisorStarted), *supervisor)
    for rank, said in events.items():
        write(run.events(0) / f"rank-{rank}.jsonl", make(Hello, rank=rank), *said)
    run.output(0, 0).write_text(output)
    return evidence_of_run(run)


def categories(evidence: Evidence) -> list[str]:
    return [found.category for found in diagnose(evidence)]


# ------------------------------------------------------------------------------------------------------ texts, files


def test_of_a_long_file_head_and_tail_are_read_with_the_files_own_line_numbers(tmp_path: Path) -> None:
    path = tmp_path / "long.log"
    with path.open("w") as file:
        file.write(
            "UserWarning: CUDA initialization: The NVIDIA driver on your system is too old (found version 11040).\n"
        )
        file.write("step 1 loss 0.1\n" * 200_000)
        file.write(USER_ERROR + "\n")
    evidence = evidence_of_file(path)
    assert sum(len(output.text) for output in evidence.outputs) <= HEAD_BYTES + TAIL_BYTES
    found = diagnose(evidence)
    assert [(each.category, each.evidence.line) for each in found] == [
        ("driver-too-old", 1),
        ("user-exception", 200_011),
    ]
    assert diagnose(evidence_of_text(path.read_text()))[1].evidence.line == 200_011


def test_garbage_is_no_failure_and_no_crash(tmp_path: Path) -> None:
    path = tmp_path / "garbage"
    path.write_bytes(bytes(range(256)) * 8000)
    assert diagnose(evidence_of_file(path)) == ()


def test_a_text_with_zero_bytes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "utf16"
    path.write_bytes(USER_ERROR.encode("utf-16-le"))
    assert categories(evidence_of_file(path)) == ["user-exception"]


# --------------------------------------------------------------------------------------------------------------- runs


def test_a_run_that_failed(run: RunDirectory) -> None:
    fields = {"accumulate_grad_batches": TrainerField(actual=2), "num_workers": TrainerField(script=4)}
    raised = make(ExceptionRaised, type="torch.OutOfMemoryError", message=OOM.partition(": ")[2], traceback=OOM)
    evidence = record(
        run,
        {0: [make(TrainerSeen, fields=fields), make(StageChanged), make(Progress, batch_size=64), raised]},
        make(Ended, code=1),
        output="hello\n" + OOM + "\n",
    )
    assert (evidence.batch_size, evidence.value("num_workers"), evidence.exit_code) == (64, 4, 1)
    found = diagnose(evidence)
    assert [each.category for each in found] == ["cuda-oom"]
    assert found[0].evidence.line == 2
    assert found[0].suggestions[0].changes == {"batch_size": 32, "accumulate_grad_batches": 4}


def test_a_finished_run_has_nothing_wrong(run: RunDirectory) -> None:
    from lightning_tui.record.events import FitEnd

    said = [make(StageChanged), make(FitEnd), make(ProgramEnd, code=0)]
    assert categories(record(run, {0: said}, make(Ended), output=USER_ERROR)) == []


def test_a_rank_that_left_early_is_the_root_of_its_peers_failure(run: RunDirectory) -> None:
    gone = make(ExceptionRaised, type="RuntimeError", message="Connection closed by peer [127.0.0.1]:5")
    left = [make(StageChanged), make(ProgramEnd, code=0)]
    found = categories(record(run, {0: [make(StageChanged), gone], 1: left}, make(Ended, code=1)))
    assert found == ["rank-exited-early", "gloo-connection-closed"]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Connection closed by peer [127.0.0.1]:5", ["rank-exited-early", "gloo-connection-closed"]),
        ("mat1 and mat2 shapes cannot be multiplied (4x32 and 64x10)", ["shape-mismatch"]),
    ],
)
def test_a_rank_that_left_before_the_fit_is_the_root_of_lost_connections_alone(
    run: RunDirectory, message: str, expected: list[str]
) -> None:
    raised = make(ExceptionRaised, type="RuntimeError", message=message, hook="setup", time=2.0)
    ranks: dict[int, list[Event]] = {0: [raised], 1: [make(ProgramEnd, code=0, time=1.0)]}
    assert categories(record(run, ranks, make(Ended, code=1))) == expected


def test_a_rank_that_vanished_with_full_memory(run: RunDirectory) -> None:
    sample = make(Sampled, host=HostSample(memory_used=63 * GIB, memory_total=64 * GIB), gpus=())
    evidence = record(
        run, {0: [make(StageChanged)], 1: [make(StageChanged)]}, sample, make(RankGone, rank=1), make(Ended, code=1)
    )
    found = diagnose(evidence)
    assert (found[0].category, found[0].rank) == ("host-oom-killed", 1)


def test_a_program_that_leaves_amid_its_fit(run: RunDirectory) -> None:
    said = [make(StageChanged), make(ProgramEnd, code=0)]
    assert categories(record(run, {0: said}, make(Ended, code=0))) == ["program-exit"]


def test_a_program_that_left_with_a_code_and_without_a_word(run: RunDirectory) -> None:
    found = diagnose(record(run, {0: [make(ProgramEnd, code=3)]}, make(Ended, code=3), output="no data folder\n"))
    assert [(each.category, each.rank) for each in found] == [("program-exit", 0)]
    assert categories(record(run, {0: [make(ProgramEnd, code=3)]}, make(Ended, code=3, cause="stop"))) == []


def test_of_a_workers_exception_the_original_is_told(run: RunDirectory) -> None:
    original = "FileNotFoundError: [Errno 2] No such file or directory: 'a.png'"
    traceback = (
        'Traceback (most recent call last):\n  File "/w/train.py", line 9, in <module>\n    fit()\n'
        "FileNotFoundError: Caught FileNotFoundError in DataLoader worker process 0.\n"
        'Original Traceback (most recent call last):\n  File "/w/data.py", line 4, in __getitem__\n    open(path)\n'
        f"{original}\n"
    )
    message = traceback.partition("Error: ")[2]
    raised = make(ExceptionRaised, type="FileNotFoundError", message=message, traceback=traceback)
    (found,) = diagnose(record(run, {0: [raised]}, make(Ended, code=1), output=traceback))
    assert (found.category, found.evidence.text, found.evidence.line) == ("dataset-exception", original, 8)
    assert found.where is not None
    assert (found.where.path, found.where.line) == ("/w/data.py", 4)


def test_frames_above_lightnings_own_come_from_the_output(run: RunDirectory) -> None:
    """Telemetry hears of it inside of fit; Lightning has changed the words by the time that Python prints them."""
    inner = '  File "/v/site-packages/lightning/pytorch/x.py", line 5, in y\n    z()\n'
    outer = '  File "/w/train.py", line 9, in <module>\n    trainer.fit(net)\n'
    head = "Traceback (most recent call last):\n"
    raised = make(
        ExceptionRaised, type="RuntimeError", message="words", traceback=f"{head}{inner}RuntimeError: words\n"
    )
    output = f"{head}{outer}{inner}RuntimeError: other words\n"
    (found,) = diagnose(record(run, {0: [raised]}, make(Ended, code=1), output=output))
    assert found.where is not None
    assert (found.where.path, found.where.line) == ("/w/train.py", 9)
    assert found.evidence.line == 6


def test_a_suggestion_may_take_what_was_captured() -> None:
    text = (
        "lightning.fabric.utilities.exceptions.MisconfigurationException: `ModelCheckpoint(monitor='val_acc')` could not "
        "find the monitored key in the returned metrics: ['train_loss', 'epoch', 'step']."
    )
    changes = [each.changes for each in diagnose(evidence_of_text(text))[0].suggestions]
    assert {"checkpoint_monitor": "train_loss", "checkpoint_mode": "min"} in changes
    without = [each.changes for each in diagnose(evidence_of_text(text.replace("'train_loss', ", "")))[0].suggestions]
    assert set(map(str, without)) == {"None"}


def test_memory_that_grows_is_told(run: RunDirectory) -> None:
    memory = [
        make(
            DeviceMemory,
            device="cuda:0",
            uuid=None,
            allocated=GIB + step * (GIB >> 6),
            reserved=0,
            peak_allocated=0,
            peak_reserved=0,
            total=None,
        )
        for step in range(200)
    ]
    assert "memory-growth" in categories(record(run, {0: [make(StageChanged), *memory]}, make(Ended, code=1)))


@pytest.mark.parametrize(
    ("points", "grows"),
    [
        ([GIB + step * (GIB >> 6) for step in range(200)], True),
        ([GIB] * 200, False),
        ([min(4 * GIB, GIB + step * (GIB >> 4)) for step in range(200)], False),
        ([GIB * (1 + step % 7) for step in range(200)], False),
        ([GIB, 9 * GIB], False),
    ],
)
def test_growth_is_a_rise_over_nearly_the_whole_run(points: list[int], grows: bool) -> None:
    assert (steady_growth(points) is not None) is grows


# ----------------------------------------------------------------------------------------------------- report, words


def test_the_report_has_its_four_parts_and_no_secret(run: RunDirectory) -> None:
    secret_frame = USER_ERROR + f"\nwandb_v1_{PASSWORD}x api_key={PASSWORD} https://me:{PASSWORD}@host/x \x1b[31m"
    raised = make(
        ExceptionRaised, type="AttributeError", message="'Net' object has no attribute 'table'", traceback=secret_frame
    )
    evidence = record(
        run, {0: [make(TrainerSeen), make(Progress, epoch=1, global_step=7), raised]}, make(Ended, code=1)
    )
    text = report_text(read_snapshot(run), diagnose(evidence)[0])
    headings = [line for line in text.splitlines() if line in ("Error:", "Suggestion:", "Context:", "Full Traceback:")]
    assert headings == ["Error:", "Suggestion:", "Context:", "Full Traceback:"]
    assert PASSWORD not in text
    assert "\x1b" not in text
    for part in (
        "precision=32-true",
        "epoch 1 · step 7",
        "torch 2.13.0",
        "rank       0 of 1",
        "/home/me/proj/model.py:12",
        "AttributeError",
    ):
        assert part in text, part


@pytest.mark.parametrize(
    "text",
    [f"--api-key={PASSWORD}", f"token: {PASSWORD}", f"Authorization: Bearer {PASSWORD}", f"'password': '{PASSWORD}'"],
)
def test_secrets_are_masked(text: str) -> None:
    assert PASSWORD not in masked(text)


def test_plan_changes_are_typed_as_flags() -> None:
    changes: dict[str, Any] = {"precision": "bf16-mixed", "batch_size": 16, "ddp_find_unused_parameters": True}
    assert flags(changes) == "--precision bf16-mixed --set batch_size=16 --set ddp_find_unused_parameters=true"


@pytest.mark.parametrize(
    ("text", "values", "filled"),
    [
        ("[[{a} of {b}: ]]full", {"a": "1", "b": "2"}, "1 of 2: full"),
        ("[[{a} of {b}: ]]full", {"a": "1"}, "full"),
        ("[[{a}[[ of {b}]]: ]]full", {"a": "1"}, "1: full"),
        ("{name!r} is missing", {"name": "x"}, "'x' is missing"),
        ("{name} is missing", {}, ""),
        ("It failed. Port {port} is taken. Choose another.", {}, "It failed. Choose another."),
        ("[[{a}]]", {"a": "{b} [[c]]"}, "{b} [[c]]"),
    ],
)
def test_texts_are_filled(text: str, values: dict[str, str], filled: str) -> None:
    assert fill(text, values) == filled


@pytest.mark.parametrize(
    ("name", "evidence", "changes"),
    [
        (
            "halve_the_batch",
            Evidence(batch_size=33, actual={"accumulate_grad_batches": 1}),
            {"batch_size": 16, "accumulate_grad_batches": 2},
        ),
        ("halve_the_batch", Evidence(), None),
        ("fewer_workers", Evidence(actual={"num_workers": 1}), {"num_workers": 0}),
        ("fewer_workers", Evidence(actual={"num_workers": 0}), {}),
        ("more_workers", Evidence(host=HostSample(cpu_count=16), world_size=4), {"num_workers": 4}),
        ("existing_devices", Evidence(gpus=(GpuSample(index=0), GpuSample(index=1))), {"devices": 2}),
        ("existing_devices", Evidence(), None),
        ("wider_than_half", Evidence(plan={"precision": "16-mixed"}), {"precision": "bf16-mixed"}),
        ("wider_than_half", Evidence(plan={"precision": "32-true"}), {}),
        ("clip_gradients", Evidence(actual={"gradient_clip_val": 0.5}), {}),
        (
            "lower_precision",
            Evidence(gpus=(GpuSample(index=0, compute_capability="8.6"),)),
            {"precision": "bf16-mixed"},
        ),
        ("shard_the_model", Evidence(world_size=1), None),
        ("half_that_runs_here", Evidence(actual={"accelerator": "cpu"}), {"precision": "32-true"}),
        ("one_checkpoint_every_epoch", Evidence(actual={"checkpoint_save_top_k": 1}), {}),
        ("one_checkpoint_every_epoch", Evidence(actual={"checkpoint_save_top_k": -1}), {"checkpoint_save_top_k": 1}),
        ("one_checkpoint_every_epoch", Evidence(of_run=True), None),
        ("no_workers", Evidence(), {"num_workers": 0}),
        ("no_workers", Evidence(of_run=True), None),
        ("no_workers", Evidence(actual={"num_workers": 2}, of_run=True), {"num_workers": 0}),
        ("resume", Evidence(of_run=True), {}),
        ("resume", Evidence(of_run=True, has_checkpoint=True), {"ckpt_path": "last"}),
        ("begin_anew", Evidence(), None),
        ("begin_anew", Evidence(plan={"ckpt_path": "torn.ckpt"}), {"ckpt_path": None}),
        ("full_precision", Evidence(actual={"precision": "32-true"}), {}),
        ("full_precision", Evidence(plan={"precision": "16-true"}), {"precision": "32-true"}),
        ("full_precision", Evidence(of_run=True), None),
        ("all_batches", Evidence(plan={"limit_train_batches": 0.001}, of_run=True), {"limit_train_batches": 1.0}),
        ("all_batches", Evidence(of_run=True), {}),
    ],
)
def test_changes_are_computed_of_the_run(name: str, evidence: Evidence, changes: dict[str, Any] | None) -> None:
    assert COMPUTED[name](evidence) == changes
