"""A plan as text: commands that mean it, and code and configs that build its Trainer, read back from a live one."""

from __future__ import annotations

import ast
import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lightning_tui
from lightning_tui.cli.arguments import plan_of
from lightning_tui.cli.parser import parse
from lightning_tui.plan.export import as_command, as_plain_command, as_python, as_yaml
from lightning_tui.plan.model import FIELDS, KINDS, Plan

RUNNER = Path(lightning_tui.__file__).parent / "runner"

FULL = Plan(
    accelerator="cpu",
    strategy="ddp_spawn",
    precision="bf16-mixed",
    devices=2,
    num_nodes=1,
    max_epochs=7,
    max_steps=90,
    max_time="00:12:00:30",
    min_epochs=2,
    min_steps=3,
    accumulate_grad_batches=4,
    gradient_clip_val=1e-05,
    gradient_clip_algorithm="value",
    val_check_interval=0.25,
    check_val_every_n_epoch=2,
    num_sanity_val_steps=1,
    limit_train_batches=0.5,
    limit_val_batches=3,
    log_every_n_steps=9,
    deterministic="warn",
    benchmark=False,
    detect_anomaly=True,
    sync_batchnorm=True,
    enable_checkpointing=True,
    ddp_find_unused_parameters=True,
    ddp_static_graph=False,
    ddp_gradient_as_bucket_view=True,
    ddp_bucket_cap_mb=13,
    checkpoint_save_top_k=2,
    checkpoint_monitor="val/loss",
    checkpoint_mode="max",
    checkpoint_save_last=False,
    checkpoint_on_exception=True,
    checkpoint_every_n_steps=11,
    auto_scale_batch_size="binsearch",
    auto_lr_find=True,
)
FSDP = Plan(
    accelerator="gpu",
    strategy="fsdp",
    devices=2,
    fsdp_sharding_strategy="SHARD_GRAD_OP",
    fsdp_cpu_offload=True,
    fsdp_limit_all_gathers=False,
    fsdp_wrap_classes=["Linear", "torch.nn.modules.activation.ReLU"],
    fsdp_wrap_min_params=100,
    activation_checkpointing=["Linear"],
)
DEEPSPEED = Plan(
    accelerator="gpu",
    strategy="deepspeed_stage_3",
    devices=2,
    deepspeed_offload_optimizer=True,
    deepspeed_offload_parameters=True,
    deepspeed_nvme_path="/nvme",
)
MODEL_PARALLEL = Plan(
    accelerator="cpu", strategy="model_parallel", devices=2, data_parallel_size=2, tensor_parallel_size=1
)
NAMED = Plan(strategy="ddp_find_unused_parameters_true", accelerator="cpu", devices=2, benchmark=True)
PLANS = {"full": FULL, "fsdp": FSDP, "deepspeed": DEEPSPEED, "model_parallel": MODEL_PARALLEL, "named": NAMED}
POLICIES = ("fsdp_wrap_classes", "fsdp_wrap_min_params", "activation_checkpointing")
"""What no config of LightningCLI can say."""

# There is no GPU and no DeepSpeed where tests run: two GPUs and the package are pretended, which building a Trainer
# takes at their word.
_CHILD = """
import json, sys
from contextlib import ExitStack
from unittest import mock

import lightning.pytorch.strategies.deepspeed
from lightning.pytorch.cli import LightningCLI
from lightning.pytorch.demos.boring_classes import BoringModel

sys.path.append(RUNNER)
from lightning_tui_runner.plan.strategies import options_of
from lightning_tui_runner.telemetry.trainer_facts import fields_of
from lightning_tui_runner.plan.trainer_arguments import Arguments

PRETENDED = {
    "lightning.fabric.accelerators.cuda.num_cuda_devices": mock.Mock(return_value=2),
    "lightning.pytorch.accelerators.cuda.num_cuda_devices": mock.Mock(return_value=2),
    "lightning.pytorch.strategies.deepspeed._DEEPSPEED_AVAILABLE": True,
    "lightning.pytorch.strategies.deepspeed._DEEPSPEED_GREATER_EQUAL_0_16": True,
}

def actual(trainer, plan):
    found = fields_of(trainer, Arguments(plan, {}), "lightning.pytorch")
    values = {name: found[name]["actual"] for name in plan if name in found}
    policies = {name: value for name, value in options_of(trainer.strategy).items() if name in plan}
    if trainer.strategy.__class__.__name__ == "FSDPStrategy":
        policies |= asked_of(trainer.strategy, plan)
    return values | policies

def asked_of(strategy, plan):
    # whom do the exported policies choose?
    import torch
    policies = {"fsdp_wrap_classes": strategy.kwargs.get("auto_wrap_policy"),
                "activation_checkpointing": strategy._activation_checkpointing_kwargs.get("auto_wrap_policy")}
    modules = {"Linear": torch.nn.Linear(2, 2), "torch.nn.modules.activation.ReLU": torch.nn.ReLU()}
    found = {}
    for name, policy in policies.items():
        if policy is not None:
            found[name] = [key for key, module in modules.items()
                           if policy(module=module, recurse=False, nonwrapped_numel=6)]
    policy = policies["fsdp_wrap_classes"]
    if policy is not None:
        other = torch.nn.Bilinear(1, 1, 1)
        sizes = [n for n in (99, 100) if policy(module=other, recurse=False, nonwrapped_numel=n)]
        found["fsdp_wrap_min_params"] = sizes[0]
    return found

answers = {}
for name, case in json.load(open(sys.argv[1])).items():
    with ExitStack() as stack:
        if case["plan"].get("accelerator") == "gpu":
            for target, value in PRETENDED.items():
                stack.enter_context(mock.patch(target, value))
            stack.enter_context(mock.patch.dict(sys.modules, deepspeed=mock.MagicMock(__version__="0.18.1")))
        if "python" in case:
            names = {}
            exec(compile(case["python"], name, "exec"), names)
            trainer = names["trainer"]
        else:
            arguments = ["--config", case["yaml"], "--trainer.logger", "false"]
            trainer = LightningCLI(BoringModel, run=False, args=arguments, save_config_callback=None).trainer
        answers[name] = actual(trainer, case["plan"])
print("\\n" + json.dumps(answers))
"""


def build(cases: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Let a child build each case's Trainer, and return what is in effect, by the plan's names."""
    (folder / "cases.json").write_text(json.dumps(cases))
    script = f"RUNNER = {str(RUNNER)!r}\n{_CHILD}"
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder / "cases.json")],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answers: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answers


@pytest.mark.e2e
def test_exported_code_and_configs_run_as_they_are_and_build_the_plans_trainer(tmp_path: Path) -> None:
    cases: dict[str, Any] = {}
    expected = {}
    for name, plan in PLANS.items():
        config = tmp_path / f"{name}.yaml"
        config.write_text(as_yaml(plan))
        said = {field: value for field, value in plan.changes().items() if field not in POLICIES}
        cases[f"{name} as code"] = {"plan": plan.changes(), "python": as_python(plan)}
        cases[f"{name} as a config"] = {"plan": said, "yaml": str(config)}
        expected[f"{name} as code"] = _in_effect(plan.changes())
        expected[f"{name} as a config"] = _in_effect(said)
    assert build(cases, tmp_path) == expected


def _in_effect(changes: dict[str, Any]) -> dict[str, Any]:
    """A plan under the names that a live Trainer has for it."""
    return {**changes, "accelerator": "cuda" if changes["accelerator"] == "gpu" else changes["accelerator"]}


def test_what_is_no_argument_of_the_trainer_is_said_beside_it() -> None:
    plan = Plan(
        num_workers=4, pin_memory=True, compile="max-autotune", activation_checkpointing=["Block"], ckpt_path="last"
    )
    code = as_python(plan)
    assert "trainer = Trainer()\n" in code
    for words in (
        "#     DataLoader(..., num_workers=4, pin_memory=True)",
        '#     model = torch.compile(model, mode="max-autotune")',
        '#         if type(module).__name__ in ["Block"]:',
        '# To resume from a checkpoint: trainer.fit(model, ckpt_path="last")',
    ):
        assert words in code
    config = as_yaml(plan)
    assert config.endswith('ckpt_path: "last"\n')
    for words in ("#     num_workers: 4, pin_memory: true", "# A config cannot express compile: max-autotune"):
        assert words in config


def test_an_empty_plan_is_an_empty_trainer() -> None:
    assert as_python(Plan()) == "from lightning.pytorch import Trainer\n\ntrainer = Trainer()\n"
    assert as_yaml(Plan()) == "trainer: {}\n"
    assert as_command(["train.py"], Plan()) == "lightning-tui run -- train.py"


def test_the_older_package_is_imported_where_that_is_meant() -> None:
    code, config = as_python(FULL, "pytorch_lightning"), as_yaml(FULL, "pytorch_lightning")
    assert "lightning.pytorch" not in code + config
    assert "from pytorch_lightning.strategies import DDPStrategy" in code
    assert 'class_path: "pytorch_lightning.callbacks.ModelCheckpoint"' in config


def test_a_checkpoint_without_a_metric_keeps_the_newest() -> None:
    assert "save_top_k=1" in as_python(Plan(checkpoint_dir="/data"))
    assert "save_top_k=3" in as_python(Plan(checkpoint_monitor="val_loss"))
    assert "ModelCheckpoint" not in as_python(Plan(enable_checkpointing=False, checkpoint_dir="/data"))


@pytest.mark.parametrize(
    ("words", "plain"),
    [
        (["train.py", "--name", "a b"], "python train.py --name 'a b'"),
        (["-m", "pkg.train"], "python -m pkg.train"),
        (["demo", "--size", "tiny"], "python -m lightning_tui.demo.train --size tiny"),
        (["chemprop", "train"], "chemprop train"),
        (["python", "train.py"], "python train.py"),
    ],
)
def test_the_program_without_us(words: list[str], plain: str) -> None:
    assert as_plain_command(words) == plain


def test_a_config_of_lightning_cli_without_us() -> None:
    line = as_plain_command(["--config", "c.yaml"], "/venv/bin/python")
    assert shlex.split(line)[-3:] == ["fit", "--config", "c.yaml"]
    assert line.startswith("/venv/bin/python -c ")


def _value(name: str) -> st.SearchStrategy[Any]:
    """Values that the field accepts, whatever a person might type."""
    kind = KINDS[name]
    if kind.choices:
        return st.sampled_from(kind.choices).map(kind.parse)
    texts = st.text(st.characters(categories=["L", "N", "P", "Zs"]), min_size=1, max_size=8).map(str.strip)
    lists = st.lists(st.sampled_from(["Block", "a.b.MLP", "Head"]), min_size=1, max_size=3)
    devices = st.lists(st.integers(0, 7), min_size=1, unique=True)
    times = st.just("00:12:00:00")
    return st.one_of(st.integers(-1, 9), st.floats(0, 1), texts, lists, devices, times).filter(
        lambda value: _accepts(name, value)
    )


def _accepts(name: str, value: Any) -> bool:
    try:
        return bool(KINDS[name].accepts(value)) and (not isinstance(value, str) or bool(value))
    except TypeError:
        return False


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_an_exported_command_means_the_plan(data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(FIELDS), unique=True, max_size=6))
    plan = Plan(**{name: data.draw(_value(name)) for name in names})
    program = ["train.py", "--note", "it's $HOME"]
    words = shlex.split(as_command(program, plan, Path("/venv/bin/python")))
    assert words[:2] == ["lightning-tui", "run"]
    arguments = parse(words[1:])
    assert (plan_of(arguments), arguments.program, arguments.python) == (plan, program, Path("/venv/bin/python"))
    ast.parse(as_python(plan))
