"""What surely cannot work is refused before it starts, with the value, what is allowed and the way out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lightning_tui.plan import KNOWN_STRATEGIES, MachineFacts, Plan, PlanError, check_plan, checks

CPU = MachineFacts(gpus=0, cpus=4)
ONE_GPU = MachineFacts(gpus=1, cpus=8)
FOUR_GPUS = MachineFacts(gpus=4, cpus=2, has_deepspeed=False)
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
        (Plan(strategy="fsdp", devices=4), FOUR_GPUS),
        (Plan(accelerator="gpu", devices=-1), FOUR_GPUS),
        (Plan(accelerator="gpu", devices=[0, 3]), FOUR_GPUS),
        (Plan(accelerator="cpu", devices=2), FOUR_GPUS),
        (Plan(precision="16-mixed"), CPU),
        (Plan(accelerator="gpu", devices=8, strategy="deepspeed"), UNKNOWN),
        (Plan(devices=64), UNKNOWN),
        (Plan(devices=[0, 1]), UNKNOWN),
        (Plan(accelerator="cpu", devices=64), UNKNOWN),
        (Plan(strategy="xla", accelerator="tpu", devices=8), CPU),
    ],
)
def test_what_may_work_passes(plan: Plan, facts: MachineFacts) -> None:
    check(plan, facts)


@pytest.mark.parametrize(
    ("plan", "facts", "words"),
    [
        (Plan(accelerator="gpu"), CPU, "accelerator='gpu': no GPU can be used here. Take auto or cpu"),
        (Plan(accelerator="cuda"), CPU, "accelerator='cuda'"),
        (Plan(devices=8), FOUR_GPUS, "devices=8: there are not so many GPUs. Allowed are 1 to 4"),
        (Plan(devices=5, accelerator="auto"), FOUR_GPUS, "devices=5"),
        (Plan(devices=2, accelerator="gpu"), ONE_GPU, "Allowed is the one GPU there is"),
        (Plan(devices=[0, 4]), FOUR_GPUS, "devices=[0, 4]: there is no GPU 4."),
        (Plan(devices=5), CPU, "devices=5: more processes than CPUs. Allowed are 1 to 4"),
        (Plan(devices=3), MachineFacts(gpus=0, cpus=1), "Allowed are 1 to 2"),
        (Plan(devices=8, accelerator="cpu"), FOUR_GPUS, "devices=8: more processes than CPUs"),
        (Plan(devices=[0, 1]), CPU, "devices=[0, 1]: a list names GPUs"),
        (Plan(devices=-1), CPU, "devices=-1"),
        (Plan(strategy="fsdp"), CPU, "strategy='fsdp' needs a CUDA GPU"),
        (Plan(strategy="deepspeed_stage_3"), CPU, "strategy='deepspeed_stage_3' needs a CUDA GPU"),
        (
            Plan(strategy="fsdp", accelerator="cpu"),
            FOUR_GPUS,
            "strategy='fsdp' needs a CUDA GPU, but accelerator='cpu'",
        ),
        (Plan(strategy="deepspeed"), FOUR_GPUS, "strategy='deepspeed' needs the package deepspeed"),
        (Plan(strategy="dpp"), CPU, "strategy='dpp' is none that Lightning knows. Did you mean ddp?"),
        (Plan(strategy="horovod"), CPU, "strategy='horovod' is none that Lightning knows."),
    ],
)
def test_what_cannot_work_is_refused(plan: Plan, facts: MachineFacts, words: str) -> None:
    with pytest.raises(PlanError, match=re.escape(words)):
        check(plan, facts)


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
