"""Which plan is recommended on machines from a laptop to eight H100, for models that fit, and that do not."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from lightning_tui.environment import Environment, Finding
from lightning_tui.environment.model import VisibleDevice
from lightning_tui.plan.checks import check_plan
from lightning_tui.plan.facts import machine_facts
from lightning_tui.plan.probe import BlockFacts, LoaderFacts, Measurement, ProgramProbe
from lightning_tui.plan.recommended import Recommendation, recommend
from tests.plan.machines import BARE, GIB, machine


def advise(environment: Environment, probe: ProgramProbe | None = None) -> Recommendation:
    found = recommend(machine_facts(environment), environment, probe)
    assert set(found.reasons) == set(found.plan.changes())
    assert all(found.reasons.values())
    check_plan(found.plan, facts=machine_facts(environment), interpreter=Path("python"))
    return found


def model(parameters: int, activations: int, *, trainer: dict[str, object] | None = None) -> ProgramProbe:
    """A transformer under AdamW: 4 bytes of gradient and 8 of state per parameter, and what forward leaves."""
    blocks = (BlockFacts(kind="Block", path="net.Block", count=10, parameters=parameters // 11),)

    def measured(precision: str, recomputes: bool) -> Measurement:
        kept = activations // (10 if recomputes else 1) // (2 if precision == "bf16-mixed" else 1)
        return Measurement(
            precision=precision,
            batch_size=8,
            peak=16 * parameters + kept,
            parameters=4 * parameters,
            gradients=4 * parameters,
            optimizer=8 * parameters,
            activations=kept,
            temporary=0,
            update=0,
            activation_checkpointing=recomputes,
        )

    return ProgramProbe(
        parameters=parameters,
        trainable=parameters,
        parameter_bytes=4 * parameters,
        blocks=blocks,
        batch_size=8,
        optimizer="AdamW",
        optimizer_bytes_per_parameter=8.0,
        loader=LoaderFacts(kind="DataLoader", num_workers=0),
        trainer=trainer or {},
        measurements=tuple(measured(p, r) for p in ("32-true", "bf16-mixed") for r in (False, True)),
    )


def test_a_laptop_trains_on_its_cpu() -> None:
    found = advise(machine(0, cpus=8))
    assert found.plan.changes() == {
        "accelerator": "cpu",
        "strategy": "auto",
        "precision": "32-true",
        "devices": 1,
        "num_workers": 7,
        "persistent_workers": True,
    }
    assert "no NVIDIA driver found" in found.reasons["accelerator"]


def test_four_gpus_of_one_kind() -> None:
    found = advise(machine(4, cpus=32))
    assert found.plan.changes() == {
        "accelerator": "gpu",
        "strategy": "ddp",
        "precision": "bf16-mixed",
        "devices": 4,
        "num_workers": 7,
        "pin_memory": True,
        "persistent_workers": True,
    }
    assert found.reasons["accelerator"] == "4 × NVIDIA L40S · local machine"
    assert found.reasons["precision"].startswith("4 × NVIDIA L40S, compute 8.9: bfloat16")
    assert found.reasons["strategy"] == (
        "one process for each of 4 GPUs; not ddp_notebook: the program runs as a script"
    )
    assert found.reasons["num_workers"] == "32 cores for 4 ranks, one left for each; two per GPU would be 8"


def test_one_old_gpu() -> None:
    found = advise(machine(1, name="Tesla V100", compute="7.0", cpus=4))
    assert (found.plan.strategy, found.plan.precision, found.plan.devices) == ("auto", "16-mixed", 1)
    assert "emulated" in found.reasons["precision"]


def test_hidden_gpus_are_not_counted() -> None:
    found = advise(machine(4, visible=(VisibleDevice("2", gpu=2),)))
    assert (found.plan.devices, found.plan.strategy) == (1, "auto")
    none = advise(machine(4, visible=()))
    assert none.plan.accelerator == "cpu"
    assert "CUDA_VISIBLE_DEVICES hides all" in none.reasons["accelerator"]


def test_what_is_not_known_is_left_to_the_script() -> None:
    found = advise(machine(0, devices=("/dev/kfd",), cpus=None))
    assert found.plan.changes() == {}


@pytest.mark.parametrize(("cpus", "workers"), [(192, 8), (8, 0), (9, 0), (24, 2)])
def test_workers_share_the_cores_with_the_ranks(cpus: int, workers: int) -> None:
    found = advise(machine(8, cpus=cpus))
    assert found.plan.num_workers == workers
    assert found.plan.persistent_workers == (True if workers else None)


def test_small_shared_memory_takes_no_workers() -> None:
    small = Finding("small-shm", "warning", "", "", "")
    found = advise(machine(2, findings=(small,)))
    assert (found.plan.num_workers, found.plan.persistent_workers) == (0, None)
    assert "bus error" in found.reasons["num_workers"]


def test_a_model_that_fits_stays_with_ddp() -> None:
    found = advise(machine(4), model(100_000_000, 2 * GIB))
    assert found.plan.strategy == "ddp"
    assert "the model fits (estimate" in found.reasons["strategy"]
    assert found.plan.activation_checkpointing is None
    assert found.reasons["num_workers"].endswith("; the script has 0")


def test_activations_that_are_tight_are_computed_anew() -> None:
    found = advise(machine(4), model(100_000_000, 92 * GIB))
    assert found.plan.strategy == "ddp"
    assert found.plan.activation_checkpointing == ["Block"]
    assert "without activation checkpointing the model is tight" in found.reasons["strategy"]


def test_states_that_do_not_fit_are_sharded() -> None:
    found = advise(machine(8), model(4_000_000_000, 2 * GIB))
    assert found.plan.strategy == "fsdp"
    assert found.plan.fsdp_wrap_classes == ["Block"]
    assert found.reasons["strategy"].startswith("with ddp the model is too large (estimate ")


def test_fsdp_and_a_script_that_clips_by_norm() -> None:
    found = advise(machine(8), model(4_000_000_000, 2 * GIB, trainer={"gradient_clip_val": 1.0}))
    assert "which FSDP does not support" in found.reasons["strategy"]


def test_what_fits_nowhere_is_offloaded_and_said() -> None:
    huge = model(400_000_000_000, 2 * GIB)
    found = advise(machine(2), huge)
    assert found.plan.strategy == "fsdp_cpu_offload"
    assert "nothing fits by estimate" in found.reasons["strategy"]
    software = msgspec.structs.replace(BARE, deepspeed="0.18.1")
    assert advise(machine(2, software=software), huge).plan.strategy == "deepspeed_stage_3_offload"
