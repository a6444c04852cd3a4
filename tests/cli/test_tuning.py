"""`tune` and `estimate` as one types them: what they print, their exit codes, and what Ctrl-C leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import msgspec
import psutil
import pytest

from lightning_tui.cli.estimating import _as_json, _estimate_lines
from lightning_tui.cli.parser import parse
from lightning_tui.plan.facts import MachineFacts
from lightning_tui.plan.model import Plan
from lightning_tui.plan.probe import BlockFacts, Measurement, ProgramProbe
from lightning_tui.services.estimating import Measured, memory_table
from tests.cli.command import COMMAND, environ, lightning_tui

PROGRAM = str(Path(__file__).parent.parent / "programs" / "tunable.py")
MIB = 1 << 20
GIB = 1 << 30


@pytest.mark.e2e
def test_tune_batch_size_steps_back_when_memory_is_short(tmp_path: Path) -> None:
    """The program says, in torch's words, that the memory is short from 17 samples on."""
    done = lightning_tui("tune", "batch-size", "--mode", "binsearch", "--json", "--", PROGRAM, "full", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["kind"] == "batch-size"
    assert found["stopped_by"] == "memory"
    tried = {(t["batch_size"], t["status"]) for t in found["trials"]}
    assert tried == {*((n, "ok") for n in (2, 4, 8, 16)), *((n, "failed") for n in (17, 18, 20, 24, 32))}
    assert found["batch_size"] == 15, "16 less Lightning's margin of 5 %"
    assert found["changes"] == {"batch_size": 15}
    assert found["attribute"] == "datamodule.batch_size"
    assert "batch size 32 does not fit" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["reached.txt"]


@pytest.mark.e2e
def test_tune_lr_tells_an_error_of_the_program(tmp_path: Path) -> None:
    done = lightning_tui("tune", "lr", "--json", "--", PROGRAM, "raising", folder=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "mat1 and mat2 shapes cannot be multiplied" in done.stderr
    assert "tunable.py:28" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["reached.txt"]


@pytest.mark.e2e
def test_ctrl_c_leaves_no_process_and_no_file(tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    process = subprocess.Popen(
        [*COMMAND, "tune", "lr", "--num-steps", "1000000", "--max", "1e-7", "--", PROGRAM],
        cwd=tmp_path,
        env=environ(TMPDIR=str(temporary)),
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stderr is not None
        line = next(line for line in process.stderr if "point 10:" in line)
        assert "lr 1." in line
        children = psutil.Process(process.pid).children(recursive=True)
        assert children
        os.kill(process.pid, signal.SIGINT)
        process.stderr.read()
        assert process.wait(60) == 130
    assert not [child for child in children if child.is_running()]
    assert list(temporary.glob("lightning-tui-*")) == []


@pytest.mark.e2e
def test_estimate_measures_the_program_and_answers_for_another_machine(tmp_path: Path) -> None:
    asked = ("estimate", "--json", "--gpu-memory", "80GB", "--devices", "4", "--", PROGRAM)
    done = lightning_tui(*asked, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["parameters"] == 16 * 32 + 32 + 32 + 1
    assert found["method"] == "fake tensors"
    assert found["gpu_memory"] == 80_000_000_000
    assert found["batch_size"] == 8
    for row in found["rows"]:
        assert set(row) == {"strategy", "precision", "devices", "low", "high", "fits", "omits"}
        assert row["devices"] == 4
    assert {row["strategy"] for row in found["rows"]} >= {"ddp", "fsdp", "deepspeed_stage_3"}
    assert {row["precision"] for row in found["rows"]} >= {"32-true", "bf16-mixed"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["reached.txt"]


def probe() -> ProgramProbe:
    """A model of 1 G parameters with AdamW, measured with batches of 8 and 16."""
    parameters = 1_000_000_000

    def measured(precision: str, batch_size: int) -> Measurement:
        activations = batch_size * (400 if precision == "32-true" else 200) * MIB
        return Measurement(
            precision=precision,
            batch_size=batch_size,
            peak=12 * parameters + activations,
            activations=activations,
            temporary=0,
            update=0,
            parameters=4 * parameters,
            gradients=0,
            optimizer=8 * parameters,
        )

    return ProgramProbe(
        parameters=parameters,
        trainable=parameters,
        parameter_bytes=4 * parameters,
        buffer_bytes=0,
        optimizer="AdamW",
        optimizer_bytes_per_parameter=8.0,
        batch_size=8,
        blocks=(BlockFacts(kind="Block", path="model.Block", count=24, parameters=40_000_000),),
        measurements=tuple(measured(p, b) for p in ("32-true", "bf16-mixed") for b in (8, 16)),
    )


def test_the_table_of_estimates_is_aligned_and_says_what_it_leaves_out() -> None:
    plan = Plan(precision="bf16-mixed", strategy="ddp", devices=8)
    found, rows = memory_table(Measured(probe()), plan, MachineFacts(gpus=8, gpu_memory=24 * GIB))
    lines = _estimate_lines(found, rows)
    grid = lines[3:9]
    assert grid[0].split() == ["GiB", "32-true", "16-mixed", "bf16-mixed", "bf16-true"]
    assert [line.split()[0] for line in grid[1:]] == ["ddp", "fsdp", *(f"deepspeed_stage_{n}" for n in (1, 2, 3))]
    column = grid[0].index("bf16-mixed")
    assert all(line[column - 1] == " " != line[column] for line in grid), "columns are aligned"
    text = "\n".join(lines)
    assert "1 G parameters, AdamW" in text
    assert "each of 8 GPUs with 24 GiB, batches of 8" in text
    assert "fits" in text
    assert "As planned: ddp, bf16-mixed:" in text
    assert "The largest saving: " in text
    assert "Left out: workspace of GPU libraries" in text
    assert "fsdp: the upper end gathers the whole model at once" in text


def test_without_a_gpu_nothing_is_said_to_fit() -> None:
    found, rows = memory_table(Measured(probe()), Plan(), MachineFacts(gpus=0))
    assert {row.fits for row in rows} == {"unknown"}
    text = "\n".join(_estimate_lines(found, rows))
    assert " fits" not in text
    assert "--gpu-memory 24GiB" in text
    values = _as_json(found, rows)
    assert values["gpu_memory"] is None
    assert values["largest_batch"] is None
    json.dumps(values, allow_nan=False)


def test_what_is_not_known_of_a_model_is_null_and_not_0() -> None:
    bare = msgspec.structs.replace(probe(), measurements=(), batch_size=None)
    found, rows = memory_table(Measured(bare), Plan(), MachineFacts(gpus=2, gpu_memory=24 * GIB))
    assert all(row.high is None for row in rows)
    assert "or more" in "\n".join(_estimate_lines(found, rows))
    assert _as_json(found, rows)["rows"][0]["high"] is None


@pytest.mark.parametrize(
    ("text", "size"),
    [("24GiB", 24 * GIB), ("24", 24 * GIB), ("1.5 GiB", 3 * GIB // 2), ("80GB", 80 * 10**9), ("512M", 512 * MIB)],
)
def test_sizes_are_read_as_people_write_them(text: str, size: int) -> None:
    assert parse(["estimate", "--gpu-memory", text, "--", "train.py"]).gpu_memory == size


@pytest.mark.parametrize(
    "words",
    [
        ["tune"],
        ["tune", "momentum"],
        ["tune", "lr", "--num-steps", "0"],
        ["tune", "lr", "--max-trials", "3"],
        ["tune", "batch-size", "--mode", "linear"],
        ["estimate", "--gpu-memory", "much"],
        ["estimate", "--gpu-memory", "0GiB"],
    ],
)
def test_wrong_usage_ends_with_code_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(words)
    assert caught.value.code == 2
    assert "error:" in capsys.readouterr().err
