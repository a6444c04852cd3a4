"""What surely cannot work is refused before it starts, with the value, what is allowed and the way out."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from lightning_tui.plan import checks
from lightning_tui.plan.catalog import KNOWN_STRATEGIES, PRECISIONS_OF
from lightning_tui.plan.checks import check_plan, find_obstacles
from lightning_tui.plan.facts import MachineFacts
from lightning_tui.plan.model import PRECISIONS, Plan, PlanError
from tests.plan.machines import BARE

CPU = MachineFacts(gpus=0, cpus=4)
ONE_GPU = MachineFacts(gpus=1, cpus=8)
FOUR_GPUS = MachineFacts(gpus=4, cpus=2, software=BARE)
WITH_DEEPSPEED = msgspec.structs.replace(FOUR_GPUS, software=msgspec.structs.replace(BARE, deepspeed="0.18.1"))
UNKNOWN = MachineFacts()


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """A Lightning with one strategy more than usual stands in for the program's; returns who was asked."""
    asked: list[Path] = []

    def ask(interpreter: Path) -> list[str]:
        asked.append(interpreter)
        return ["ddp", "my_strategy"]

    monkeypatch.setattr(checks, "registered_strategies", ask)
    return asked


def check(plan: Plan, facts: MachineFacts) -> None:
    check_plan(plan, facts=facts, interpreter=Path("/venv/bin/python"))


@pytest.mark.parametrize(
    ("plan", "facts"),
    [
        (Plan(), CPU),
        (Plan(strategy="auto", devices="auto"), CPU),
        (Plan(strategy="ddp", devices=2), CPU),
        (Plan(strategy="ddp", devices=2, accelerator="cpu"), MachineFacts(gpus=0, cpus=1)),
        (Plan(strategy="ddp_spawn", devices=4), CPU),
        (Plan(strategy="ddp_spawn", devices=1, num_nodes=2), CPU),
        (Plan(strategy="fsdp", devices=4), FOUR_GPUS),
        (Plan(accelerator="gpu", devices=-1), FOUR_GPUS),
        (Plan(accelerator="gpu", devices=[0, 3]), FOUR_GPUS),
        (Plan(accelerator="cpu", devices=2), FOUR_GPUS),
        (Plan(accelerator="cpu", strategy="single_device"), FOUR_GPUS),
        (Plan(precision="16-mixed"), CPU),
        (Plan(precision="64", strategy="ddp"), CPU),
        (Plan(accelerator="gpu", devices=8, strategy="deepspeed"), UNKNOWN),
        (Plan(devices=64), UNKNOWN),
        (Plan(devices=[0, 1]), UNKNOWN),
        (Plan(accelerator="cpu", devices=64), UNKNOWN),
        (Plan(strategy="xla", accelerator="tpu", devices=8), CPU),
        (Plan(accelerator="mps", devices=1), UNKNOWN),
        (Plan(strategy="model_parallel", devices=2, data_parallel_size=2, tensor_parallel_size=1), CPU),
        (Plan(strategy="model_parallel", devices=2), CPU),
        (Plan(strategy="model_parallel", tensor_parallel_size=3), UNKNOWN),
        (Plan(strategy="auto", devices=2, ddp_static_graph=True), CPU),
        (Plan(fsdp_cpu_offload=True), FOUR_GPUS),
        (Plan(strategy="fsdp", gradient_clip_val=1.0, gradient_clip_algorithm="value"), FOUR_GPUS),
        (Plan(strategy="fsdp", fsdp_wrap_classes=["Block"], fsdp_wrap_min_params=10), FOUR_GPUS),
        (Plan(strategy="deepspeed_stage_3", deepspeed_offload_parameters=True), WITH_DEEPSPEED),
        (Plan(strategy="deepspeed", accumulate_grad_batches=4, gradient_clip_val=1.0), WITH_DEEPSPEED),
        (Plan(sync_batchnorm=True, devices=2), FOUR_GPUS),
        (Plan(persistent_workers=True), CPU),
        (Plan(checkpoint_save_top_k=3, checkpoint_monitor="val_loss"), CPU),
        (Plan(checkpoint_save_top_k=-1), CPU),
        (Plan(auto_scale_batch_size="power", devices=1, strategy="auto"), FOUR_GPUS),
        (Plan(auto_scale_batch_size="power"), FOUR_GPUS),
        (Plan(deterministic="warn", benchmark=False), CPU),
        (Plan(compile="default", strategy="ddp"), CPU),
    ],
)
def test_what_may_work_passes(plan: Plan, facts: MachineFacts) -> None:
    check(plan, facts)


@pytest.mark.parametrize(
    ("plan", "facts", "words"),
    [
        (Plan(accelerator="gpu"), CPU, "accelerator='gpu': no GPU can be used here. Use auto or cpu"),
        (
            Plan(accelerator="gpu"),
            MachineFacts(gpus=0, no_gpus_because="torch 2.9+cpu is a CPU build"),
            "no GPU can be used here (torch 2.9+cpu is a CPU build)",
        ),
        (Plan(accelerator="cuda"), CPU, "accelerator='cuda'"),
        (Plan(devices=8), FOUR_GPUS, "devices=8: there are fewer GPUs. Allowed: 1 to 4"),
        (Plan(devices=5, accelerator="auto"), FOUR_GPUS, "devices=5"),
        (Plan(devices=2, accelerator="gpu"), ONE_GPU, "Allowed: 1, auto or [0], for the one GPU"),
        (Plan(devices=[0, 4]), FOUR_GPUS, "devices=[0, 4]: GPU 4 does not exist."),
        (Plan(devices=5), CPU, "devices=5: more processes than CPUs. Allowed: 1 to 4"),
        (Plan(devices=3), MachineFacts(gpus=0, cpus=1), "Allowed: 1 to 2"),
        (Plan(devices=8, accelerator="cpu"), FOUR_GPUS, "devices=8: more processes than CPUs"),
        (Plan(devices=[0, 1]), CPU, "devices=[0, 1]: a list names GPUs"),
        (Plan(devices=-1), CPU, "devices=-1"),
        (Plan(devices=2, accelerator="mps"), UNKNOWN, "there is one MPS device"),
        (Plan(strategy="fsdp"), CPU, "strategy='fsdp' needs a CUDA GPU. Use auto or ddp."),
        (Plan(strategy="deepspeed_stage_3"), CPU, "strategy='deepspeed_stage_3' needs a CUDA GPU"),
        (Plan(strategy="fsdp", accelerator="cpu"), FOUR_GPUS, "needs a CUDA GPU, but accelerator='cpu'"),
        (Plan(strategy="fsdp", accelerator="mps"), UNKNOWN, "needs a CUDA GPU, but accelerator='mps'"),
        (Plan(strategy="ddp_spawn", accelerator="mps"), UNKNOWN, "from the DDP family are not supported on the MPS"),
        (Plan(strategy="ddp", accelerator="tpu"), UNKNOWN, "a TPU can only be used with the strategy xla"),
        (Plan(strategy="xla", accelerator="gpu"), FOUR_GPUS, "needs a TPU, but accelerator='gpu'"),
        (Plan(strategy="single_tpu"), CPU, "cannot be chosen by name"),
        (Plan(strategy="single_device"), ONE_GPU, "when chosen by name it stays on the CPU"),
        (Plan(strategy="ddp_spawn"), MachineFacts(in_torchrun=True), "that torchrun has started"),
        (Plan(strategy="deepspeed"), FOUR_GPUS, "pip install 'deepspeed>=0.16'. Use auto or ddp."),
        (Plan(strategy="dpp"), CPU, "strategy='dpp' is not known to Lightning. Did you mean ddp?"),
        (Plan(strategy="horovod"), CPU, "strategy='horovod' is not known to Lightning."),
        (Plan(strategy="fsdp", precision="64-true"), FOUR_GPUS, "precision='64-true' is not supported with fsdp"),
        (Plan(strategy="deepspeed", precision="64"), WITH_DEEPSPEED, "precision='64' is not supported with deepspeed"),
        (Plan(strategy="model_parallel", precision="16-mixed"), CPU, "is not supported with model_parallel, only"),
        (Plan(precision="64-true", accelerator="mps"), UNKNOWN, "the MPS accelerator has no 64 bit numbers"),
        (Plan(precision="transformer-engine"), CPU, "precision='transformer-engine' needs a CUDA GPU"),
        (Plan(precision="transformer-engine", accelerator="cpu"), UNKNOWN, "but accelerator='cpu'"),
    ],
)
def test_what_cannot_work_is_refused(plan: Plan, facts: MachineFacts, words: str) -> None:
    with pytest.raises(PlanError, match=re.escape(words)):
        check(plan, facts)


@pytest.mark.parametrize(
    ("plan", "facts", "words"),
    [
        (Plan(strategy="ddp", fsdp_cpu_offload=True), FOUR_GPUS, "fsdp_cpu_offload=True belongs to the strategy fsdp"),
        (Plan(strategy="auto", deepspeed_stage=2), FOUR_GPUS, "Use strategy deepspeed, or remove deepspeed_stage"),
        (Plan(strategy="fsdp", ddp_static_graph=True), FOUR_GPUS, "belongs to the strategy ddp"),
        (Plan(strategy="ddp", tensor_parallel_size=2), FOUR_GPUS, "belongs to the strategy model_parallel"),
        (
            Plan(ddp_static_graph=True, deepspeed_stage=2),
            FOUR_GPUS,
            "belongs to the strategy ddp and deepspeed_stage to",
        ),
        (
            Plan(strategy="ddp_find_unused_parameters_false", ddp_find_unused_parameters=True),
            CPU,
            "contradicts strategy='ddp_find_unused_parameters_false'",
        ),
        (Plan(strategy="fsdp", fsdp_sharding_strategy="HYBRID_SHARD"), FOUR_GPUS, "requires an auto_wrap_policy"),
        (Plan(strategy="fsdp_cpu_offload", fsdp_cpu_offload=False), FOUR_GPUS, "Use strategy fsdp."),
        (Plan(strategy="deepspeed_stage_3", deepspeed_stage=2), WITH_DEEPSPEED, "deepspeed_stage=2 contradicts"),
        (Plan(strategy="deepspeed", deepspeed_offload_parameters=True), WITH_DEEPSPEED, "with ZeRO stage 3 only"),
        (
            Plan(strategy="deepspeed", deepspeed_stage=0, deepspeed_offload_optimizer=True),
            WITH_DEEPSPEED,
            "needs ZeRO, and stage 0 does not use it",
        ),
        (Plan(strategy="deepspeed_stage_2", deepspeed_nvme_path="/nvme"), WITH_DEEPSPEED, "Set deepspeed_stage to 3"),
        (
            Plan(strategy="model_parallel", devices=4, data_parallel_size=2, tensor_parallel_size=3),
            CPU,
            "multiplied must equal the world size (4)",
        ),
        (
            Plan(strategy="model_parallel", devices="auto", tensor_parallel_size=2),
            FOUR_GPUS,
            "data_parallel_size=1 (auto: the nodes) and tensor_parallel_size=2 multiplied must equal the world size",
        ),
        (
            Plan(strategy="model_parallel", devices=4, data_parallel_size=2),
            FOUR_GPUS,
            "data_parallel_size=2 and tensor_parallel_size=4 (auto: the devices of a node) multiplied must equal",
        ),
        (
            Plan(strategy="fsdp", gradient_clip_val=1.0),
            FOUR_GPUS,
            "='norm' is currently not supported for FSDPPrecision",
        ),
        (Plan(strategy="deepspeed", gradient_clip_algorithm="value"), WITH_DEEPSPEED, "clipping gradients by value"),
        (Plan(sync_batchnorm=True, devices=1), FOUR_GPUS, "with a single device there is nothing to synchronise"),
        (Plan(sync_batchnorm=True, devices="auto"), ONE_GPU, "with a single device"),
        (Plan(sync_batchnorm=True, devices=2), CPU, "SyncBatchNorm expects its input on a GPU"),
        (Plan(sync_batchnorm=True, strategy="deepspeed"), WITH_DEEPSPEED, "only ddp and fsdp support it"),
        (Plan(num_workers=0, persistent_workers=True), CPU, "persistent_workers option needs num_workers > 0"),
        (Plan(num_workers=0, prefetch_factor=2), CPU, "could only be specified in multiprocessing"),
        (Plan(enable_checkpointing=False, checkpoint_save_last=True), CPU, "asks for a ModelCheckpoint"),
        (Plan(checkpoint_save_top_k=3), CPU, "No quantity for top_k to track"),
        (Plan(deterministic=True, benchmark=True), CPU, "PyTorch ignores torch.backends.cudnn.deterministic"),
        (Plan(auto_scale_batch_size="power", strategy="ddp"), CPU, "not supported with distributed strategies"),
        (Plan(auto_scale_batch_size="power", strategy="auto", devices=2), CPU, "with distributed strategies"),
        (Plan(auto_scale_batch_size="power", batch_size=8), CPU, "both set the batch size"),
        (Plan(compile="default", strategy="deepspeed"), WITH_DEEPSPEED, "only one device, ddp and fsdp".capitalize()),
    ],
)
def test_fields_that_contradict_each_other_are_refused(plan: Plan, facts: MachineFacts, words: str) -> None:
    with pytest.raises(PlanError, match=re.escape(words)):
        check(plan, facts)


def test_a_compromised_release_is_refused_before_all_else_and_never_asked(registered: list[Path]) -> None:
    facts = MachineFacts(gpus=0, software=msgspec.structs.replace(BARE, lightning="2.6.3"))
    found = list(find_obstacles(Plan(strategy="zzz", precision="64-true"), facts=facts, interpreter=Path("py")))
    assert len(found) == 1
    assert "lightning 2.6.3" in found[0]
    assert "compromised" in found[0]
    assert registered == []


def test_everything_that_is_wrong_can_be_listed() -> None:
    plan = Plan(strategy="fsdp", precision="64-true", num_workers=0, persistent_workers=True)
    assert len(list(find_obstacles(plan, facts=CPU, interpreter=Path("py")))) == 3


def test_an_unknown_strategy_lists_what_is_allowed() -> None:
    with pytest.raises(PlanError, match="my_strategy"):
        check(Plan(strategy="zzz"), CPU)


def test_a_strategy_of_the_programs_own_lightning_passes(registered: list[Path]) -> None:
    check(Plan(strategy="my_strategy"), CPU)
    assert registered == [Path("/venv/bin/python")]


@pytest.mark.parametrize("name", [name for name in KNOWN_STRATEGIES if name.startswith(("ddp", "auto", "single_dev"))])
def test_a_known_strategy_is_not_asked_for(name: str, registered: list[Path]) -> None:
    check(Plan(strategy=name), CPU)
    assert registered == []


# What Lightning, or torch, does with what we refuse; FSDP is told of two GPUs that are not there.
_ATTEMPTS = """
import json
from typing import get_args
from unittest import mock
from lightning.fabric.plugins.precision import deepspeed, fsdp, xla
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import BatchSizeFinder, ModelCheckpoint
from lightning.pytorch.demos.boring_classes import BoringModel
from lightning.pytorch.plugins.precision import FSDPPrecision
from lightning.pytorch.strategies import FSDPStrategy, ModelParallelStrategy
from lightning.pytorch.tuner import Tuner
from torch.utils.data import DataLoader

def trainer(**arguments):
    return Trainer(logger=False, enable_progress_bar=False, enable_model_summary=False, **arguments)

def on_gpus(**arguments):
    count = mock.Mock(return_value=2)
    modules = ("lightning.fabric.accelerators.cuda", "lightning.pytorch.accelerators.cuda")
    with mock.patch(f"{modules[0]}.num_cuda_devices", count), mock.patch(f"{modules[1]}.num_cuda_devices", count):
        return trainer(accelerator="gpu", devices=2, **arguments)

def single_device():
    strategy = on_gpus(strategy="single_device").strategy
    strategy.accelerator.setup_device(strategy.root_device)

def without_deepspeed():
    with mock.patch("lightning.pytorch.strategies.deepspeed._DEEPSPEED_AVAILABLE", False):
        trainer(strategy="deepspeed")

ATTEMPTS = {
    "fsdp on a CPU": lambda: trainer(accelerator="cpu", strategy="fsdp"),
    "fsdp in 64 bit": lambda: on_gpus(strategy="fsdp", precision="64-true"),
    "fsdp clips": lambda: FSDPPrecision("32-true").clip_grad_by_norm(),
    "hybrid": lambda: FSDPStrategy(sharding_strategy="HYBRID_SHARD"),
    "single_tpu": lambda: trainer(strategy="single_tpu"),
    "single_device": single_device,
    "deepspeed": without_deepspeed,
    "list on a CPU": lambda: trainer(accelerator="cpu", devices=[0, 1]),
    "all on a CPU": lambda: trainer(accelerator="cpu", devices=-1),
    "persistent_workers": lambda: DataLoader([1], num_workers=0, persistent_workers=True),
    "prefetch_factor": lambda: DataLoader([1], num_workers=0, prefetch_factor=2),
    "save_top_k": lambda: ModelCheckpoint(save_top_k=3),
    "no checkpoints": lambda: trainer(enable_checkpointing=False, callbacks=[ModelCheckpoint()]),
    "tuner": lambda: Tuner(trainer(accelerator="cpu", devices=2, strategy="ddp")).scale_batch_size(BoringModel()),
}
answers = {}
for name, attempt in ATTEMPTS.items():
    try:
        attempt()
    except Exception as error:
        answers[name] = str(error)

def model_parallel(precision):
    try:
        trainer(accelerator="cpu", devices=2, strategy=ModelParallelStrategy(), precision=precision)
    except ValueError:
        return False
    return True

precisions = {m.__name__.rpartition(".")[2]: get_args(m._PRECISION_INPUT) for m in (deepspeed, fsdp, xla)}
precisions["model_parallel"] = [name for name in PRECISIONS if model_parallel(name)]
print("\\n" + json.dumps([answers, precisions]))
"""


@pytest.mark.e2e
def test_lightning_itself_refuses_what_is_refused() -> None:
    # Transformer Engine is not asked about: Lightning needs its package even to refuse it.
    names = [name for name in PRECISIONS if not name.startswith("transformer-engine")]
    script = f"PRECISIONS = {names}\n{_ATTEMPTS}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    answers, precisions = json.loads(done.stdout.splitlines()[-1])
    assert {f: sorted(names) for f, names in precisions.items()} == {f: sorted(n) for f, n in PRECISIONS_OF.items()}
    for name, words in {
        "fsdp on a CPU": "requires a GPU accelerator",
        "fsdp in 64 bit": "is not supported in FSDP",
        "fsdp clips": "`gradient_clip_algorithm='norm'` is currently not supported for `FSDPPrecision`",
        "hybrid": "The hybrid sharding strategy requires",
        "single_tpu": "missing 1 required positional argument: 'device'",
        "single_device": "Device should be GPU, got cpu instead",
        "deepspeed": "you must have DeepSpeed installed",
        "list on a CPU": "",
        "all on a CPU": "",
        "persistent_workers": "persistent_workers option needs num_workers > 0",
        "prefetch_factor": "could only be specified in multiprocessing",
        "save_top_k": "No quantity for top_k to track",
        "no checkpoints": "found `ModelCheckpoint` in callbacks list",
        "tuner": "not supported with distributed strategies",
    }.items():
        assert words in answers[name]
