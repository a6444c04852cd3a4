"""Plans on the command line: what is recommended and why, and the ways out to a shell, to code and to a config."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

import pytest

from lightning_tui.plan.model import FIELDS, Plan, plan_from_mapping
from lightning_tui.record import RunStore
from lightning_tui.record.directory import ProgramRecord
from tests.cli.command import lightning_tui

SECRET = "hf_0123456789abcdefghij"


@pytest.fixture
def run_id() -> str:
    """A run that was recorded, with a plan; nothing was started."""
    store = RunStore(Path(os.environ["LIGHTNING_TUI_HOME"]))
    directory, _ = store.create(
        program=ProgramRecord(
            label="train.py", given=["train.py", "--lr", "3e-4"], folder="/work", interpreter="/venv/bin/python"
        ),
        plan={"strategy": "ddp", "devices": [0, 1], "ddp_static_graph": True},
        now=1234.5,
        parent=None,
        made_by="test",
        environment={},
    )
    return directory.id


@pytest.mark.e2e
def test_the_plan_with_its_reasons(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("")
    done = lightning_tui("plan", "--json", "--max-epochs", "3", "--", "train.py", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert set(answer) == {"plan", "reasons", "refused", "strategies", "precisions", "presets"}
    assert answer["refused"] is None
    assert plan_from_mapping(answer["plan"]).changes() == answer["plan"]
    assert set(answer["reasons"]) == set(answer["plan"]) <= set(FIELDS)
    assert (answer["plan"]["max_epochs"], answer["reasons"]["max_epochs"]) == (3, "as asked")
    for key in ("strategies", "precisions"):
        assert all(set(choice) == {"name", "available", "reason", "recommended"} for choice in answer[key])
        assert sum(choice["recommended"] for choice in answer[key]) == 1
        assert all(choice["reason"] for choice in answer[key])
    assert [preset["name"] for preset in answer["presets"]] == ["recommended", "lightning_cloud", "lightning_compute"]
    assert answer["presets"][0]["available"]
    _look_at_one_that_cannot_work(tmp_path)


def _look_at_one_that_cannot_work(tmp_path: Path) -> None:
    """In plain lines; what the program's Lightning registers is remembered from the time before."""
    done = lightning_tui("plan", "--accelerator", "cpu", "--strategy", "fsdp", folder=tmp_path)
    assert done.returncode == 2
    assert "strategy='fsdp' needs a CUDA GPU" in done.stderr
    assert "Did you mean ddp?" in lightning_tui("plan", "--strategy", "dpd", folder=tmp_path).stderr
    for words in ("Plan\n", "as asked", "★", "✖", "model_parallel", "lightning_compute: "):
        assert words in done.stdout


def test_the_recommended_preset_can_be_run(tmp_path: Path) -> None:
    (tmp_path / "ok.py").write_text("print('ran')\n")
    arguments = ("--preset", "recommended", "--devices", "1", "--accelerator", "cpu", "--precision", "32-true")
    done = lightning_tui("run", *arguments, "--strategy", "auto", "--", "ok.py", folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, "ran\n"), done.stderr
    (run,) = json.loads(lightning_tui("runs", "--json").stdout)
    plan = json.loads(lightning_tui("show", run["id"], "--json").stdout)["plan"]
    assert plan["accelerator"] == "cpu"
    assert "num_workers" in plan


def test_a_plan_that_contradicts_itself_starts_nothing(tmp_path: Path) -> None:
    (tmp_path / "ok.py").write_text("print('ran')\n")
    arguments = ("--set", "num_workers=0", "--set", "persistent_workers=yes", "--accelerator", "cpu")
    done = lightning_tui("run", *arguments, "--", "ok.py", folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "persistent_workers option needs num_workers > 0" in done.stderr
    assert json.loads(lightning_tui("runs", "--json").stdout) == []


def test_a_run_as_a_command(run_id: str) -> None:
    done = lightning_tui("export", run_id, "--as", "command")
    first, *rest = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert shlex.split(first) == [
        *("lightning-tui", "run", "--python", "/venv/bin/python", "--strategy", "ddp", "--devices", "0,1"),
        *("--set", "ddp_static_graph=true", "--", "train.py", "--lr", "3e-4"),
    ]
    assert rest == [
        "# Its folder: /work",
        "# The program without a plan:",
        "# /venv/bin/python train.py --lr 3e-4",
    ]


def test_a_run_as_code_and_as_a_config(run_id: str) -> None:
    code = lightning_tui("export", run_id, "--as", "python").stdout
    assert "from lightning.pytorch.strategies import DDPStrategy" in code
    assert "devices=[0, 1]," in code
    config = lightning_tui("export", run_id, "--as", "yaml").stdout
    assert 'class_path: "lightning.pytorch.strategies.DDPStrategy"' in config


def test_a_plan_file_with_its_program(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text(Plan(max_epochs=3).to_toml())
    program = ("train.py", "--token", SECRET)
    done = lightning_tui("export", "--plan", "plan.toml", "--as", "command", "--", *program, folder=tmp_path)
    assert done.stdout.startswith("lightning-tui run --max-epochs 3 -- train.py --token")
    assert SECRET not in done.stdout + done.stderr
    assert "masked" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--as", "python"], "either a RUN, or --plan FILE"),
        (["--plan", "missing.toml", "--as", "yaml"], "missing.toml"),
        (["--plan", "plan.toml", "--as", "command"], "needs a program"),
        (["--plan", "plan.toml", "--as", "sbatch"], "sbatch is not supported yet. Allowed: command, python, yaml."),
        (["--plan", "plan.toml", "--as", "toml"], "'toml' is not a form of a plan"),
        (["--plan", "plan.toml"], "--as"),
    ],
)
def test_what_export_does_not_take(tmp_path: Path, arguments: list[str], says: str) -> None:
    (tmp_path / "plan.toml").write_text("")
    done = lightning_tui("export", *arguments, folder=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr


def test_an_unknown_run_cannot_be_exported() -> None:
    assert lightning_tui("export", "nowhere", "--as", "python").returncode == 1
