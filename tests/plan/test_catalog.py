"""What can work on a machine, and why: strategies and precisions on machines from a laptop to eight H100."""

from __future__ import annotations

import msgspec
import pytest

from lightning_tui.environment import Environment, Host, Place, Platform, Software, Storage
from lightning_tui.gpus import GpuSample
from lightning_tui.plan import (
    KNOWN_STRATEGIES,
    PRECISIONS,
    Choice,
    MachineFacts,
    machine_facts,
    precision_choices,
    strategy_choices,
)

LAPTOP = MachineFacts(gpus=0, cpus=8)
H100S = MachineFacts(gpus=8, compute_capability=(9, 0), has_deepspeed=True, has_transformer_engine=True)
V100S = MachineFacts(gpus=2, compute_capability=(7, 0), has_deepspeed=False)
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
    assert all(strategies[name].available for name in ("auto", "ddp", "ddp_spawn", "ddp_fork", "ddp_notebook"))
    assert recommended(strategy_choices(LAPTOP)) == ["auto"]


def test_many_gpus_take_ddp() -> None:
    strategies = strategy_choices(H100S)
    assert recommended(strategies) == ["ddp"]
    assert by_name(strategies)["fsdp"].available
    assert by_name(strategies)["deepspeed_stage_2"].available
    assert not by_name(strategies)["xla"].available


def test_one_gpu_takes_auto() -> None:
    assert recommended(strategy_choices(MachineFacts(gpus=1))) == ["auto"]


def test_deepspeed_that_is_not_installed_is_named() -> None:
    assert by_name(strategy_choices(V100S))["deepspeed"].reason == "needs the package deepspeed"
    assert by_name(strategy_choices(MachineFacts(gpus=2)))["deepspeed"].available  # not asked yet


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
    assert by_name(precision_choices(LAPTOP))["16-mixed"].reason == "on a CPU Lightning makes it bf16-mixed"
    assert "emulated and slow on compute 7.0" in by_name(precision_choices(V100S))["bf16-mixed"].reason
    assert "fast on compute 9.0" in by_name(precision_choices(H100S))["bf16-true"].reason


@pytest.mark.parametrize(
    ("facts", "available", "reason"),
    [
        (LAPTOP, False, "needs a CUDA GPU"),
        (V100S, False, "FP8 needs compute 8.9, this is 7.0"),
        (H100S, True, "FP8 where it helps, weights in bfloat16"),
        (
            msgspec.structs.replace(H100S, has_transformer_engine=False),
            False,
            "needs the package transformer-engine",
        ),
    ],
)
def test_transformer_engine(facts: MachineFacts, available: bool, reason: str) -> None:
    choice = by_name(precision_choices(facts))["transformer-engine"]
    assert (choice.available, choice.reason) == (available, reason)


def look(
    gpus: int = 0,
    visible: str | None = None,
    devices: tuple[str, ...] = (),
    software: Software | None = None,
) -> MachineFacts:
    capabilities = ("8.0", "7.5")
    place = Place(path="/")
    return machine_facts(
        Environment(
            platform=Platform(family="other", kind="local", label="local machine"),
            host=Host(cpus=6, gpu_devices=devices),
            storage=Storage(runs_home=place, folder=place),
            gpus=tuple(GpuSample(index=n, compute_capability=capabilities[n % 2]) for n in range(gpus)),
            visible_devices=visible,
            software=software,
        )
    )


def test_facts_of_a_machine() -> None:
    facts = look(gpus=2, software=Software(interpreter="py", deepspeed="0.17"))
    assert facts == MachineFacts(
        gpus=2,
        compute_capability=(7, 5),
        cpus=6,
        has_deepspeed=True,
        has_transformer_engine=False,
    )


@pytest.mark.parametrize(
    ("visible", "count"),
    [(None, 4), ("0,1", 2), ("3", 1), ("", 0), ("-1", 0), ("0,9,1", 1), ("GPU-abc, 2", 2), ("nonsense", 0)],
)
def test_gpus_that_cuda_lets_a_program_see(visible: str | None, count: int) -> None:
    assert look(gpus=4, visible=visible).gpus == count


def test_gpus_are_not_known_where_a_device_is_there_and_the_driver_tells_nothing() -> None:
    assert look(devices=("/dev/kfd",)).gpus is None
    assert look().gpus == 0


def test_packages_are_not_known_before_an_interpreter_answered() -> None:
    assert look().has_deepspeed is None
    assert look(software=Software(interpreter="py", error="gone")).has_deepspeed is None
