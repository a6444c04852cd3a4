"""What can work on a machine, and why: strategies and precisions on machines from a laptop to eight H100."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from lightning_tui.environment import Environment, Software
from lightning_tui.environment.model import VisibleDevice
from lightning_tui.gpus import DriverFacts, GpuSample
from lightning_tui.plan.catalog import KNOWN_STRATEGIES, PRECISIONS_OF, Choice, precision_choices, strategy_choices
from lightning_tui.plan.facts import MachineFacts, facts_under, machine_facts
from lightning_tui.plan.model import PRECISIONS, Plan
from tests.plan.machines import BARE, GIB, PYTHON, machine

FULL = msgspec.structs.replace(BARE, deepspeed="0.18.1", transformer_engine="2.0")
LAPTOP = MachineFacts(gpus=0, cpus=8)
H100S = MachineFacts(gpus=8, compute_capability=(9, 0), software=FULL)
V100S = MachineFacts(gpus=2, compute_capability=(7, 0), software=BARE)
UNKNOWN = MachineFacts()


def by_name(choices: list[Choice]) -> dict[str, Choice]:
    return {choice.name: choice for choice in choices}


def recommended(choices: list[Choice]) -> list[str]:
    return [choice.name for choice in choices if choice.recommended]


@pytest.mark.parametrize("facts", [LAPTOP, H100S, V100S, UNKNOWN])
def test_every_choice_has_a_reason_and_one_that_works_is_recommended(facts: MachineFacts) -> None:
    for choices, names in ((strategy_choices(facts), KNOWN_STRATEGIES), (precision_choices(facts), PRECISIONS)):
        assert tuple(choice.name for choice in choices) == names
        assert all(choice.reason for choice in choices)
        (best,) = recommended(choices)
        assert by_name(choices)[best].available


def test_a_laptop_shards_nothing() -> None:
    strategies = by_name(strategy_choices(LAPTOP))
    for name in ("fsdp", "fsdp_cpu_offload", "deepspeed", "deepspeed_stage_3_offload"):
        assert (strategies[name].available, strategies[name].reason) == (False, "needs a CUDA GPU")
    names = ("auto", "ddp", "ddp_spawn", "ddp_fork", "ddp_notebook", "model_parallel", "single_device")
    assert all(strategies[name].available for name in names)
    assert recommended(strategy_choices(LAPTOP)) == ["auto"]


def test_many_gpus_take_ddp() -> None:
    strategies = by_name(strategy_choices(H100S))
    assert recommended(strategy_choices(H100S)) == ["ddp"]
    assert strategies["fsdp"].available
    assert strategies["deepspeed_stage_2"].available
    assert not strategies["xla"].available
    assert "use ddp in a script" in strategies["ddp_notebook"].reason


def test_one_gpu_takes_auto_and_not_single_device_which_stays_on_the_cpu() -> None:
    choices = strategy_choices(MachineFacts(gpus=1))
    assert recommended(choices) == ["auto"]
    assert not by_name(choices)["single_device"].available


def test_deepspeed_that_is_missing_or_too_old_says_how_to_install_it() -> None:
    missing = by_name(strategy_choices(V100S))["deepspeed"]
    assert not missing.available
    assert missing.reason == f"needs the package deepspeed: {PYTHON} -m pip install 'deepspeed>=0.16'"
    old = MachineFacts(gpus=2, software=msgspec.structs.replace(BARE, deepspeed="0.15.4"))
    assert "0.15.4 is installed" in by_name(strategy_choices(old))["deepspeed_stage_3"].reason
    assert by_name(strategy_choices(MachineFacts(gpus=2)))["deepspeed"].available  # not asked yet


def test_model_parallel_needs_a_newer_torch() -> None:
    old = MachineFacts(gpus=2, software=msgspec.structs.replace(BARE, torch="2.3.1"))
    assert "2.3.1 is installed" in by_name(strategy_choices(old))["model_parallel"].reason


def test_ranks_of_torchrun_do_not_spawn() -> None:
    assert not by_name(strategy_choices(MachineFacts(in_torchrun=True)))["ddp_spawn"].available
    assert by_name(strategy_choices(MachineFacts(in_torchrun=True)))["ddp"].available


def test_the_registry_of_the_programs_own_lightning_decides() -> None:
    choices = by_name(strategy_choices(H100S, registered=["ddp", "fsdp", "mine"]))
    assert choices["ddp"].available
    assert choices["mine"].available
    assert choices["auto"].available
    assert choices["model_parallel"].available
    assert choices["ddp_spawn"].reason == "is not known to the program's Lightning 2.6.6"


@pytest.mark.parametrize(
    ("facts", "best"),
    [
        (LAPTOP, "32-true"),
        (H100S, "bf16-mixed"),
        (V100S, "16-mixed"),
        (UNKNOWN, "32-true"),
        (MachineFacts(gpus=1, compute_capability=(6, 1)), "32-true"),
        (MachineFacts(gpus=1, compute_capability=(8, 0)), "bf16-mixed"),
    ],
)
def test_the_recommended_precision(facts: MachineFacts, best: str) -> None:
    assert recommended(precision_choices(facts)) == [best]


def test_precisions_say_what_the_hardware_makes_of_them() -> None:
    assert by_name(precision_choices(LAPTOP))["16-mixed"].reason == "on a CPU Lightning changes it to bf16-mixed"
    assert "emulated and slow on compute 7.0" in by_name(precision_choices(V100S))["bf16-mixed"].reason
    assert "fast on compute 9.0" in by_name(precision_choices(H100S))["bf16-true"].reason


@pytest.mark.parametrize(
    ("strategy", "impossible"),
    [
        ("ddp", set()),
        (None, set()),
        ("fsdp_cpu_offload", {"64-true", "transformer-engine", "transformer-engine-float16"}),
        ("deepspeed_stage_2", {"64-true", "transformer-engine", "transformer-engine-float16"}),
        ("model_parallel", {"16-mixed", "64-true", "transformer-engine", "transformer-engine-float16"}),
        ("xla", {"16-mixed", "bf16-mixed", "64-true", "transformer-engine", "transformer-engine-float16"}),
    ],
)
def test_strategies_that_do_not_take_every_precision(strategy: str | None, impossible: set[str]) -> None:
    choices = precision_choices(H100S, strategy=strategy)
    assert {choice.name for choice in choices if not choice.available} == impossible


@pytest.mark.parametrize(
    ("facts", "available", "reason"),
    [
        (LAPTOP, False, "needs a CUDA GPU"),
        (V100S, False, "needs compute 8.9 for FP8, and this is 7.0"),
        (H100S, True, "FP8 where it helps, weights in bfloat16"),
        (msgspec.structs.replace(H100S, software=BARE), False, "needs the package transformer-engine"),
    ],
)
def test_transformer_engine(facts: MachineFacts, available: bool, reason: str) -> None:
    choice = by_name(precision_choices(facts))["transformer-engine"]
    assert choice.available == available
    assert choice.reason.startswith(reason)


def test_facts_of_a_machine() -> None:
    facts = machine_facts(machine(2, cpus=6, facets=("torchelastic",)))
    assert facts == MachineFacts(
        gpus=2,
        gpu_name="NVIDIA L40S",
        gpu_memory=48 * GIB,
        compute_capability=(8, 9),
        cpus=6,
        software=BARE,
        in_torchrun=True,
    )


def test_the_weakest_of_different_gpus_decides() -> None:
    environment = machine(1)
    weaker = GpuSample(index=1, name="Tesla T4", compute_capability="7.5", memory_total=16 * GIB)
    facts = machine_facts(msgspec.structs.replace(environment, gpus=(*environment.gpus, weaker)))
    assert (facts.gpus, facts.gpu_name, facts.gpu_memory, facts.compute_capability) == (2, None, 16 * GIB, (7, 5))


@pytest.mark.parametrize(
    ("visible", "count"),
    [
        (None, 4),
        ((), 0),
        ((VisibleDevice("1", gpu=1), VisibleDevice("3", gpu=3)), 2),
        ((VisibleDevice("1", gpu=1), VisibleDevice("9", is_seen=False)), 1),
        ((VisibleDevice("0", note="not known which"),), 1),
    ],
)
def test_gpus_that_cuda_lets_a_program_see(visible: tuple[VisibleDevice, ...] | None, count: int) -> None:
    facts = machine_facts(machine(4, visible=visible))
    assert facts.gpus == count
    assert bool(facts.no_gpus_because) == (count == 0)


def sliced(driver: str) -> Environment:
    """Two slices of one GPU, and a whole one beside it."""
    slices = tuple(GpuSample(index=0, mig=n, memory_total=20 * GIB) for n in range(2))
    whole = tuple(GpuSample(index=index, memory_total=80 * GIB) for index in range(2))
    return msgspec.structs.replace(machine(0), gpus=(whole[0], *slices, whole[1]), driver=DriverFacts(driver=driver))


@pytest.mark.parametrize(("driver", "count"), [("550.54.15", 1), ("575.57.08", 3)])
def test_how_many_mig_slices_a_program_sees_is_the_drivers_affair(driver: str, count: int) -> None:
    facts = machine_facts(sliced(driver))
    assert (facts.gpus, facts.gpu_memory) == (count, 20 * GIB)


def test_the_index_of_a_sliced_gpu_stands_for_its_first_slice() -> None:
    environment = msgspec.structs.replace(sliced("575.57.08"), visible=(VisibleDevice("0", gpu=0),))
    assert machine_facts(environment).gpu_memory == 20 * GIB


def test_gpus_are_not_known_where_a_device_is_there_and_the_driver_tells_nothing() -> None:
    assert machine_facts(machine(0, devices=("/dev/kfd",))).gpus is None
    assert machine_facts(machine(0)).gpus == 0


def test_a_cpu_build_of_torch_uses_no_gpu() -> None:
    software = msgspec.structs.replace(BARE, torch="2.9.0+cpu", torch_build="cpu")
    facts = machine_facts(machine(2, software=software))
    assert (facts.gpus, facts.no_gpus_because) == (0, "torch 2.9.0+cpu is a CPU build")
    assert "CPU build" in by_name(strategy_choices(facts))["fsdp"].reason


def test_packages_are_not_known_before_an_interpreter_answered() -> None:
    assert machine_facts(machine(1, software=None)).software is None
    assert machine_facts(machine(1, software=Software(interpreter="py", error="gone"))).software is None


@pytest.mark.parametrize(
    ("plan", "gpus"),
    [
        (Plan(), 4),
        (Plan(accelerator="cpu"), 0),
        (Plan(devices=2), 2),
        (Plan(devices=[3]), 1),
        (Plan(devices=-1), 4),
        (Plan(devices="auto"), 4),
        (Plan(devices=9), 4),
    ],
)
def test_what_a_plan_leaves_of_a_machine(plan: Plan, gpus: int) -> None:
    assert facts_under(MachineFacts(gpus=4), plan).gpus == gpus


def test_the_documentation_knows_every_precision_and_what_each_strategy_takes() -> None:
    text = (Path(__file__).parents[2] / "docs" / "strategies.md").read_text()
    assert all(f"`{name}`" in text for name in PRECISIONS)
    for names in PRECISIONS_OF.values():
        assert ", ".join(f"`{name}`" for name in names) in text
