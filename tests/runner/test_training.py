"""Real programs under the runner: same weights where the plan changes nothing, the plan in effect where it does."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from lightning_tui.record.events import (
    CheckpointRemoved,
    CheckpointSaved,
    FitEnd,
    Hello,
    Metrics,
    ProgramEnd,
    Progress,
    StageChanged,
    TelemetryTrouble,
    TrainerSeen,
)

from .running import PROGRAMS, Outcome, command, environment, make_run, run, run_in_run

pytestmark = pytest.mark.e2e

STEPS = {"plain": 60, "standalone": 48, "cli": 32, "hydra": 48, "installed": 40}
MAKERS: dict[str, Callable[[Path, Path], list[str]]] = {
    "plain": lambda place, out: [str(PROGRAMS / "plain.py"), "--out", str(out)],
    "standalone": lambda place, out: [str(PROGRAMS / "standalone.py"), str(out)],
    "cli": lambda place, out: [
        *(str(PROGRAMS / "cli.py"), "fit", "--out", str(out), "--model.width", "5"),
        *("--trainer.max_epochs", "1", "--trainer.accelerator", "cpu", "--trainer.devices", "1"),
        *("--trainer.logger", "false"),
    ],
    "hydra": lambda place, out: [str(PROGRAMS / "hydra_app.py"), f"out={out}"],
    "installed": lambda place, out: [str(installed_command(place)), "train", "--out", str(out)],
}


def installed_command(place: Path) -> Path:
    """The script that pip writes for `[project.scripts] deeptrain = "deeptrain.command:main"`.

    Made here as pip makes it, with the package on PYTHONPATH: installing it would change the environment of the tests.
    """
    script = place / "bin" / "deeptrain"
    script.parent.mkdir(exist_ok=True)
    script.write_text(
        f"#!{sys.executable}\nimport sys\nfrom deeptrain.command import main\n\n"
        "if __name__ == '__main__':\n    sys.exit(main())\n"
    )
    script.chmod(0o755)
    return script


ENVIRONMENT = {"PYTHONPATH": str(PROGRAMS)}


def trains(place: Path, name: str, plan: dict[str, object]) -> tuple[Outcome, str]:
    """Run one of the programs under a plan; return what came of it and the weights' fingerprint."""
    out = place / "weights"
    outcome = run_in_run(place, MAKERS[name](place, out), plan, ENVIRONMENT)
    assert outcome.code == 0, outcome.errors
    assert "lightning-tui:" not in outcome.errors
    return outcome, out.read_text()


@pytest.mark.parametrize("name", MAKERS)
def test_a_plan_that_changes_nothing_leaves_the_weights_as_they_are(name: str, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    words = MAKERS[name](bare, bare / "weights")
    done = run([sys.executable, *words], cwd=bare, env=environment(None, ENVIRONMENT))
    assert done.returncode == 0, done.stderr
    outcome, weights = trains(tmp_path, name, {})
    assert weights == (bare / "weights").read_text()
    assert outcome.of(FitEnd)[-1].finished
    assert outcome.of(FitEnd)[-1].global_step == STEPS[name]
    assert outcome.of(ProgramEnd)[-1].code == 0
    assert not outcome.of(TelemetryTrouble)
    check_the_metrics(name, outcome)


def check_the_metrics(name: str, outcome: Outcome) -> None:
    metrics = outcome.metrics()
    loss = {
        "plain": "train_loss_step",
        "standalone": "loss",
        "cli": "loss",
        "hydra": "train/loss",
        "installed": "mse_loss",
    }[name]
    assert sorted(metrics[loss]) == list(range(1, STEPS[name] + 1))
    assert "lr" in metrics
    assert ("loss" in metrics) == (loss == "loss")
    assert [event for event in outcome.events() if isinstance(event, Hello)] == outcome.events()[:1]
    if name == "plain":
        check_what_plain_tells(outcome, metrics)


def check_what_plain_tells(outcome: Outcome, metrics: dict[str, dict[int, float]]) -> None:
    assert sorted(metrics["val_loss"]) == [12, 24, 36, 48, 60]
    assert sorted(metrics["train_loss_epoch"]) == [12, 24, 36, 48, 60]
    assert set(metrics) == {"lr", "train_loss_step", "train_loss_epoch", "val_loss"}
    assert metrics["val_loss"][60] < metrics["val_loss"][12]
    stages = [event.stage for event in outcome.of(StageChanged)]
    assert stages == ["setup", "sanity_check", *["train", "validate"] * 5, "train", "done"]
    saved = outcome.of(CheckpointSaved)
    assert [event.global_step for event in saved] == [12, 24, 36, 48, 60]
    assert [event.path for event in outcome.of(CheckpointRemoved)] == [event.path for event in saved[:-1]]
    assert Path(saved[-1].path).stat().st_size == saved[-1].size
    assert not list(outcome.directory.checkpoints.iterdir()), "they lie where a bare run puts them"
    last = outcome.of(Progress)[-1]
    assert (last.epoch, last.max_epochs, last.batch, last.total_batches) == (4, 5, 12, 12)
    assert last.step_time_s is not None
    assert last.data_wait_s is not None
    assert 0 < last.data_wait_s < last.step_time_s
    assert {event.batch_size for event in outcome.of(Progress) if event.stage == "train" and event.batch} == {4}
    trainer = outcome.of(TrainerSeen)[-1]
    assert (trainer.flavour, trainer.world_size, trainer.parameters) == ("lightning.pytorch", 1, 49)
    field = trainer.fields["precision"]
    assert (field.requested, field.script, field.actual) == (None, "32-true", "32-true")
    assert Path(saved[-1].path).is_relative_to(str(trainer.fields["default_root_dir"].actual))
    assert "\r" not in outcome.output, "no progress bar in the output"


def test_two_ranks_that_the_script_itself_asks_for_train_as_without_us(tmp_path: Path) -> None:
    """What of it the plan asks for, a bare run is told by its own flags: it is the same training."""
    out, bare = tmp_path / "weights", tmp_path / "bare"
    bare.mkdir()
    words = [
        *(str(PROGRAMS / "cli.py"), "fit", "--out", str(out), "--model.width", "5"),
        *("--trainer.accelerator", "cpu", "--trainer.logger", "false"),
        *("--trainer.devices", "2", "--trainer.strategy", "ddp"),
    ]
    plan = {"max_steps": 6, "precision": "bf16-mixed", "accumulate_grad_batches": 2}
    flags = [word for name, value in plan.items() for word in (f"--trainer.{name}", str(value))]
    done = run([sys.executable, *words, *flags], cwd=bare, env=environment(None, ENVIRONMENT))
    assert done.returncode == 0, done.stderr
    expected = out.read_text()
    out.unlink()
    outcome = run_in_run(tmp_path, words, plan, ENVIRONMENT)
    assert outcome.code == 0, outcome.errors
    assert out.read_text() == expected
    check_two_ranks(outcome, plan)


@pytest.mark.parametrize("name", ["standalone", "hydra", "installed"])
def test_the_plan_is_in_effect_on_two_processes(name: str, tmp_path: Path) -> None:
    plan = {"strategy": "ddp", "devices": 2, "max_steps": 6, "precision": "bf16-mixed", "accumulate_grad_batches": 2}
    if name == "installed":  # manual optimization takes no accumulation
        del plan["accumulate_grad_batches"]
    outcome, _ = trains(tmp_path, name, plan)
    check_two_ranks(outcome, plan)


def check_two_ranks(outcome: Outcome, plan: Mapping[str, object]) -> None:
    fields = outcome.of(TrainerSeen)[-1].fields
    for field, value in plan.items():
        assert (fields[field].requested, fields[field].actual) == (value, value)
    assert outcome.of(TrainerSeen)[-1].world_size == 2
    check_both_ranks(outcome, "0", "1", steps=6)
    assert "the end of" in outcome.output
    assert "the end of" in outcome.log(1)
    assert outcome.directory.output(0, 1).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("strategy", ["ddp_spawn", "ddp_fork"])
def test_processes_that_lightning_forks_or_spawns_report_themselves(strategy: str, tmp_path: Path) -> None:
    plan = {"strategy": strategy, "devices": 2, "max_steps": 6, "gradient_clip_val": 0.5, "max_time": "00:01:00:00"}
    name = "plain" if strategy == "ddp_spawn" else "standalone"
    outcome, _ = trains(tmp_path, name, plan)
    fields = outcome.of(TrainerSeen, "0-*")[-1].fields
    for field in plan:
        assert (fields[field].requested, fields[field].actual) == (plan[field], plan[field])
    check_both_ranks(outcome, "0-*", "1-*", steps=6)
    assert [type(event) for event in outcome.events(0)] == [Hello, ProgramEnd]
    assert outcome.log(1)


def check_both_ranks(outcome: Outcome, first: str, second: str, *, steps: int) -> None:
    for number, rank in enumerate((first, second)):
        hello = outcome.of(Hello, rank)[0]
        assert hello.rank == hello.local_rank == number
        assert outcome.of(FitEnd, rank)[-1].finished
        assert outcome.of(FitEnd, rank)[-1].reason == "max_steps"
        assert outcome.of(FitEnd, rank)[-1].global_step == steps
        assert outcome.of(ProgramEnd, rank)[-1].code == 0
        assert outcome.of(Metrics, rank)
        assert not outcome.of(TelemetryTrouble, rank)
    assert len(outcome.metrics(second)) == 1
    assert outcome.metrics(second).keys() <= outcome.metrics(first).keys()
    assert not outcome.of(CheckpointSaved, second)


def test_lightning_cli_without_a_script(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text((PROGRAMS / "cli.py").read_text().replace("self.config", "config"))
    config = {"model.class_path": "mine.Net", "data.class_path": "mine.Numbers", "trainer.logger": "false"}
    config |= {"trainer.accelerator": "cpu", "seed_everything": "1"}
    words = [word for name, value in config.items() for word in (f"--{name}", value)]
    plan = {"max_steps": 4, "devices": 2, "strategy": "ddp"}
    outcome = run_in_run(tmp_path, ["--lightning-cli", "fit", *words], plan)
    assert outcome.code == 0, outcome.errors
    check_both_ranks(outcome, "0", "1", steps=4)


def test_other_entry_points_report_their_stages(tmp_path: Path) -> None:
    program = tmp_path / "evaluate.py"
    program.write_text(
        "import torch, sys\n"
        f"sys.path.insert(0, {str(PROGRAMS)!r})\n"
        "from plain import Regression, data\n"
        "from lightning.pytorch import Trainer\n"
        "class Model(Regression):\n"
        "    test_step = lambda self, batch, i: self.log('test_loss', self.loss(batch))\n"
        "    predict_step = lambda self, batch, i: self.layer(batch[0])\n"
        "model = Model()\n"
        "shared = []\n"
        "nothing = {'logger': False, 'enable_checkpointing': False, 'enable_model_summary': False}\n"
        "first = Trainer('cpu', callbacks=shared, **nothing)\n"
        "assert shared == [], 'the list is its owner\\'s'\n"
        "kinds = [type(callback).__name__ for callback in first.callbacks]\n"
        "assert kinds == ['LightningTuiTelemetry', 'RichProgressBar'], kinds\n"
        "trainer = Trainer('cpu', callbacks=first.callbacks, **nothing)\n"
        "assert trainer.callbacks[0] is not first.callbacks[0]\n"
        "trainer.validate(model, data(8)); trainer.test(model, data(8)); trainer.predict(model, data(8))\n"
    )
    outcome = run_in_run(tmp_path, [str(program)])
    assert outcome.code == 0, outcome.errors
    stages = [event.stage for event in outcome.of(StageChanged)]
    assert stages == ["setup", "validate", "done", "setup", "test", "done", "setup", "predict", "done"]
    assert set(outcome.metrics()) == {"val_loss", "test_loss"}
    assert [event.batch for event in outcome.of(Progress) if event.stage == "test"][-1] == 2
    assert not outcome.of(FitEnd)


def test_torchrun_style_ranks_are_told_by_their_environment(tmp_path: Path) -> None:
    directory = make_run(tmp_path)
    program = tmp_path / "say.py"
    program.write_text("import os; os.system('echo from a shell'); print('hello')\n")
    env = environment(directory, {"RANK": "5", "LOCAL_RANK": "1", "GROUP_RANK": "2", "WORLD_SIZE": "8"})
    done = run(command([str(program)]), cwd=tmp_path, env=env)
    outcome = Outcome(done.returncode, done.stdout, done.stderr, directory)
    hello = outcome.of(Hello, 5)[0]
    assert (hello.rank, hello.local_rank, hello.node_rank, hello.world_size) == (5, 1, 2, 8)
    assert hello.host == os.uname().nodename
    assert (outcome.output, outcome.log(5)) == ("", "from a shell\nhello\n")
