"""The arithmetic of memory: what each strategy leaves on a GPU of what one device needs."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lightning_tui.plan.estimate import (
    GIB,
    MARGIN,
    OVERHEAD,
    Calibration,
    Estimate,
    estimate,
    estimate_table,
)
from lightning_tui.plan.probe import BlockFacts, ForwardMeasurement, Measurement, ProgramProbe
from lightning_tui.plan.savings import Knob, knobs, largest_batch
from lightning_tui.plan.setting import Setting

N = 1_000_000_000
"""Parameters: at fp32 4 GB of them, 4 GB of gradients and 8 GB of Adam's state."""

PER_SAMPLE = GIB // 4
"""Activations of one sample at fp32."""


def measurement(precision: str, batch_size: int, activation_checkpointing: bool = False) -> Measurement:
    activations = int(batch_size * PER_SAMPLE * (0.6 if precision == "bf16-mixed" else 1))
    if activation_checkpointing:
        activations //= 8
    return Measurement(
        precision=precision,
        batch_size=batch_size,
        parameters=4 * N,
        gradients=4 * N,
        optimizer=8 * N,
        activations=activations,
        temporary=100,
        update=4 * N,
        peak=16 * N + max(activations + 100, 4 * N),
        activation_checkpointing=activation_checkpointing,
    )


PROBE = ProgramProbe(
    parameters=N,
    trainable=N,
    parameter_bytes=4 * N,
    buffer_bytes=0,
    blocks=(BlockFacts(kind="Block", path="model.Block", count=24, parameters=N // 25),),
    optimizer="AdamW",
    optimizer_bytes_per_parameter=8.0,
    batch_size=32,
    measurements=tuple(
        measurement(precision, size, checkpointing)
        for checkpointing in (False, True)
        for size in (32, 64)
        for precision in ("32-true", "bf16-mixed")
    ),
)

UNMEASURED = msgspec.structs.replace(
    PROBE,
    measurements=(),
    forwards=tuple(ForwardMeasurement(precision="32-true", batch_size=n, saved=n * PER_SAMPLE) for n in (2, 4)),
)


def of(
    strategy: str,
    precision: str = "32-true",
    devices: int = 8,
    *,
    probe: ProgramProbe = PROBE,
    gpu_memory: int | None = 80 * GIB,
    batch_size: int | None = None,
    calibration: Calibration | None = None,
    **options: object,
) -> Estimate:
    setting = Setting(strategy=strategy, precision=precision, devices=devices, batch_size=batch_size, options=options)
    return estimate(probe, setting, gpu_memory, calibration)


def on_eight(strategy: str, precision: str = "32-true", **more: Any) -> Setting:
    return Setting(strategy=strategy, precision=precision, devices=8, **more)


def part(found: Estimate, name: str) -> int:
    return dict(found.parts).get(name, 0)


def test_one_device_is_what_was_measured() -> None:
    found = of("single_device")
    peak = PROBE.measurements[0].peak
    assert (found.low, found.high, found.method) == (peak, int(peak * MARGIN) + OVERHEAD, "fake tensors")
    assert sum(size for _, size in found.parts) == peak


def test_the_update_may_be_the_worst_moment() -> None:
    found = of("single_device", batch_size=2)
    assert part(found, "update") == 4 * N
    assert part(found, "activations") == 0
    assert found.low == 20 * N


def test_batches_lie_on_a_line() -> None:
    halfway = of("single_device", batch_size=48)
    assert part(halfway, "activations") == 48 * PER_SAMPLE


def test_ddp_holds_gradients_once_more_unless_they_are_views() -> None:
    alone, buckets = of("single_device"), of("ddp")
    assert part(buckets, "gradient buckets") == 4 * N
    assert (buckets.low or 0) - (alone.low or 0) == 4 * N
    assert of("ddp", ddp_gradient_as_bucket_view=True).low == alone.low
    assert of("auto").low == buckets.low
    assert of("auto", devices=1).low == alone.low
    assert of("ddp_find_unused_parameters_true").low == buckets.low


def test_fsdp_divides_all_states() -> None:
    found = of("fsdp", fsdp_wrap_classes=["Block"])
    assert (part(found, "parameters"), part(found, "gradients"), part(found, "optimizer")) == (N // 2, N // 2, N)
    assert part(found, "activations") == 32 * PER_SAMPLE
    unit = (2 * 4 + 4) * N // 25  # a block and the next one, and gradients of one
    assert part(found, "gathered units") == pytest.approx(unit + 4 * N // 25, rel=0.01)  # and what is in no block


def test_without_units_fsdp_may_gather_the_whole_model() -> None:
    found = of("fsdp")
    assert part(found, "gathered units") == 8 * N
    assert any("fsdp_wrap_classes" in words for words in found.omits)
    assert (found.low or 0) < (of("fsdp", fsdp_sharding_strategy="SHARD_GRAD_OP").low or 0)
    assert of("fsdp", fsdp_sharding_strategy="NO_SHARD").low == of("ddp").low


def test_offload_leaves_no_states() -> None:
    for found in (of("fsdp_cpu_offload"), of("fsdp", fsdp_cpu_offload=True)):
        assert part(found, "parameters") == part(found, "gradients") == part(found, "optimizer") == 0
        assert part(found, "activations") > 0


@pytest.mark.parametrize(
    ("stage", "states"),
    [  # ZeRO, arXiv:1910.02054: 2 + 2 + K bytes with K = 12, on 8 GPUs
        ("deepspeed_stage_1", 2 + 2 + 12 / 8),
        ("deepspeed_stage_2", 2 + (2 + 12) / 8),
        ("deepspeed_stage_3", (2 + 2 + 12) / 8),
        ("deepspeed", 2 + (2 + 12) / 8),
        ("deepspeed_stage_2_offload", 2.0),
        ("deepspeed_stage_3_offload", 0.0),
    ],
)
@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed", "bf16-true"])
def test_the_equations_of_zero(stage: str, states: float, precision: str) -> None:
    found = of(stage, precision)
    held = sum(part(found, name) for name in ("parameters", "gradients", "optimizer", "fp32 parameters"))
    assert held == pytest.approx(states * N, rel=1e-6)


def test_half_precision_halves_all() -> None:
    full, half, double = (of("single_device", precision).low or 0 for precision in ("32-true", "bf16-true", "64-true"))
    assert half == full // 2
    assert double == 2 * full


def test_mixed_precision_keeps_states_and_saves_activations() -> None:
    mixed = of("single_device", "16-mixed")
    assert part(mixed, "parameters") == 4 * N
    assert part(mixed, "activations") == int(32 * PER_SAMPLE * 0.6)
    assert of("single_device", "16").low == mixed.low


@pytest.mark.parametrize(
    ("gpu_memory", "fits"), [(None, "unknown"), (80 * GIB, "fits"), (24 * GIB, "tight"), (16 * GIB, "too large")]
)
def test_the_verdict(gpu_memory: int | None, fits: str) -> None:
    assert of("single_device", gpu_memory=gpu_memory).fits == fits  # 22.9 to 26.2 GiB


def test_the_formula_has_a_wider_range_that_holds_the_measured_one() -> None:
    for precision in ("32-true", "bf16-mixed", "bf16-true"):
        measured, counted = of("ddp", precision), of("ddp", precision, probe=UNMEASURED)
        assert (measured.method, counted.method) == ("fake tensors", "formula")
        assert counted.low is not None
        assert counted.high is not None
        assert counted.low < (measured.low or 0) <= (measured.high or 0) < counted.high


def test_without_activations_there_is_a_lower_end_alone() -> None:
    bare = msgspec.structs.replace(UNMEASURED, forwards=())
    found = of("single_device", probe=bare)
    assert (found.low, found.high, found.fits) == (16 * N, None, "unknown")
    assert "activations" in found.omits
    assert of("single_device", probe=bare, gpu_memory=8 * GIB).fits == "too large"


@pytest.mark.parametrize(
    ("strategy", "precision", "probe"),
    [
        ("xla", "32-true", PROBE),
        ("deepspeed_stage_7", "32-true", PROBE),
        ("ddp", "transformer-engine", PROBE),
        ("ddp", "32-true", ProgramProbe(error="no")),
    ],
)
def test_what_is_not_known_is_said(strategy: str, precision: str, probe: ProgramProbe) -> None:
    found = of(strategy, precision, probe=probe)
    assert (found.low, found.high, found.fits, found.method) == (None, None, "unknown", "unknown")
    assert found.omits


def test_an_earlier_run_calibrates_all_estimates() -> None:
    peak = int((of("ddp").low or 0) * 1.2)
    earlier = Calibration(peak, on_eight("ddp", batch_size=32))
    plain, found = of("single_device"), of("ddp", calibration=earlier)
    assert (found.low or 0) < peak < (found.high or 0)
    assert (found.high or 0) - (found.low or 0) < peak * 0.1 + OVERHEAD
    assert of("single_device", calibration=earlier).low == pytest.approx((plain.low or 0) * 1.2 / 1.03, rel=0.01)


def test_an_earlier_run_is_judged_by_its_own_options() -> None:
    peak = of("ddp", ddp_gradient_as_bucket_view=True).low or 0
    earlier = Calibration(peak, on_eight("ddp", options={"ddp_gradient_as_bucket_view": True}))
    for is_view in (False, True):
        plain = of("ddp", ddp_gradient_as_bucket_view=is_view)
        found = of("ddp", calibration=earlier, ddp_gradient_as_bucket_view=is_view)
        assert found.low == pytest.approx((plain.low or 0) / 1.03, rel=0.01), "it took just what was estimated"


def test_a_run_that_cannot_be_this_program_is_passed_over() -> None:
    other = Calibration(7, on_eight("ddp"))
    assert of("ddp", calibration=other) == of("ddp")


def test_the_table_has_every_pair_in_order() -> None:
    table = estimate_table(PROBE, on_eight("auto"), ["ddp", "fsdp"], ["32-true", "bf16-mixed"], 80 * GIB)
    assert [(row.strategy, row.precision) for row in table] == [
        ("ddp", "32-true"),
        ("ddp", "bf16-mixed"),
        ("fsdp", "32-true"),
        ("fsdp", "bf16-mixed"),
    ]
    assert table[0] == of("ddp")


def test_the_largest_batch_is_the_last_that_fits() -> None:
    found = largest_batch(PROBE, on_eight("ddp", "bf16-mixed"), 80 * GIB)
    assert found is not None
    assert of("ddp", "bf16-mixed", batch_size=found).fits == "fits"
    assert of("ddp", "bf16-mixed", batch_size=found + 1).fits != "fits"
    assert largest_batch(PROBE, on_eight("ddp"), 8 * GIB) == 0
    assert largest_batch(PROBE, on_eight("ddp"), None) is None
    one_point = msgspec.structs.replace(PROBE, measurements=PROBE.measurements[:1])
    assert largest_batch(one_point, on_eight("ddp"), 80 * GIB) is None


def test_knobs_say_what_each_change_saves() -> None:
    found = knobs(PROBE, on_eight("ddp"))
    assert [knob.saves for knob in found] == sorted((knob.saves for knob in found), reverse=True)
    assert len(found) == 5
    by_field = {name: knob for knob in found for name in knob.changes}
    assert by_field["ddp_gradient_as_bucket_view"].saves == pytest.approx(4 * N * MARGIN, abs=1)
    assert by_field["precision"].saves == of_saving("ddp", "32-true", "ddp", "bf16-mixed")
    assert by_field["batch_size"].changes == {"batch_size": 16, "accumulate_grad_batches": 2}
    assert by_field["activation_checkpointing"].changes == {"activation_checkpointing": ["Block"]}
    assert by_field["strategy"].changes == {"strategy": "fsdp", "fsdp_wrap_classes": ["Block"]}
    assert all(isinstance(knob, Knob) and knob.saves > 0 for knob in found)


def test_fsdp_saves_more_with_units() -> None:
    found = knobs(PROBE, on_eight("fsdp", "bf16-mixed", batch_size=1))
    assert found[0].changes == {"fsdp_wrap_classes": ["Block"]}


def of_saving(strategy: str, precision: str, then: str, then_precision: str) -> int:
    return (of(strategy, precision).high or 0) - (of(then, then_precision).high or 0)


def test_no_knob_is_offered_twice() -> None:
    wrapped = on_eight("fsdp", "bf16-mixed", batch_size=1, options={"fsdp_wrap_classes": ["Block"]})
    found = knobs(PROBE, msgspec.structs.replace(wrapped, activation_checkpointing=True))
    assert found == []
    assert knobs(ProgramProbe(error="no"), on_eight("ddp")) == []


def test_an_option_against_the_strategys_name_counts() -> None:
    """As in the run that it stands for."""
    assert of("deepspeed_stage_2_offload", deepspeed_offload_optimizer=False).low == of("deepspeed_stage_2").low
    on_nvme = of("deepspeed_stage_3", deepspeed_nvme_path="/nvme")
    assert on_nvme.low == of("deepspeed_stage_3_offload").low
    assert of("auto", devices=1, ddp_static_graph=True).low == of("ddp", devices=1).low
