"""Which plan suits this machine and this model? Each field with its reason; what is not known is left to the script."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from lightning_tui.plan.catalog import best_precision, strategy_obstacle
from lightning_tui.plan.facts import MachineFacts, dotted
from lightning_tui.plan.model import Plan

if TYPE_CHECKING:
    from lightning_tui.environment import Environment
    from lightning_tui.plan.estimate import Estimate
    from lightning_tui.plan.probe import ProgramProbe

MOST_WORKERS = 8
"""Loading processes per rank; more rarely help, and each takes memory."""


class Recommendation(msgspec.Struct, frozen=True):
    """A plan, and why each of its fields is as it is."""

    plan: Plan
    reasons: dict[str, str]


class _ModelLayout(msgspec.Struct, frozen=True):
    """One way to lay a model out over the GPUs."""

    strategy: str
    fields: dict[str, Any] = {}
    """What the plan says besides."""


def recommend(facts: MachineFacts, environment: Environment, probe: ProgramProbe | None = None) -> Recommendation:
    """Work out a plan from platform, hardware and, where the program was looked into, its model's memory."""
    fields: dict[str, tuple[Any, str]] = {}
    if facts.gpus is not None:
        fields |= _hardware(facts, environment)
        fields |= _layout_fields(facts, probe)
    fields |= _data_loading(facts, environment, probe)
    plan = Plan(**{name: value for name, (value, _) in fields.items()})
    return Recommendation(plan, {name: reason for name, (_, reason) in fields.items()})


def _hardware(facts: MachineFacts, environment: Environment) -> dict[str, tuple[Any, str]]:
    if not facts.gpus:
        because = facts.no_gpus_because or environment.gpus_missing or "there is none"
        return {
            "accelerator": ("cpu", f"no GPU can be used here: {because}"),
            "devices": (1, "one process uses all cores"),
            "precision": ("32-true", "bfloat16 is fast only on CPUs with AMX or AVX512-BF16"),
        }
    every = "the only GPU" if facts.gpus == 1 else "all GPUs that a program can see"
    return {
        "accelerator": ("gpu", f"{_gpus(facts)} · {environment.platform.label}"),
        "devices": (facts.gpus, every),
        "precision": (best_precision(facts), _why_precision(facts)),
    }


def _gpus(facts: MachineFacts) -> str:
    return f"{facts.gpus} × {facts.gpu_name or 'CUDA GPU'}"


def _why_precision(facts: MachineFacts) -> str:
    if facts.compute_capability is None:
        return f"{_gpus(facts)}, compute not known"
    why = {
        "bf16-mixed": "bfloat16 in hardware, half the activations, no loss scaling",
        "16-mixed": "fast in float16, while bfloat16 (from compute 8.0) would be emulated",
        "32-true": "too old to benefit from 16-bit precision",
    }[best_precision(facts)]
    return f"{_gpus(facts)}, compute {dotted(facts.compute_capability)}: {why}"


def _layout_fields(facts: MachineFacts, probe: ProgramProbe | None) -> dict[str, tuple[Any, str]]:
    if not facts.gpus:
        return {"strategy": ("auto", "one process needs no strategy")}
    layouts = list(_layouts(facts, probe))
    judged = [(layout, _estimate(layout, facts, probe)) for layout in layouts] if probe is not None else []
    if not judged or judged[0][1].fits == "unknown":
        return {"strategy": (layouts[0].strategy, _why_first(facts))}
    best, found = _best(judged)
    fields = {name: (value, _FIELD_REASONS[name]) for name, value in best.fields.items()}
    return {"strategy": (best.strategy, _why_layout(best, found, judged, facts) + _warning(best, probe)), **fields}


_FIELD_REASONS = {
    "activation_checkpointing": "activations of these blocks are recomputed in the backward pass: much less "
    "memory, slower",
    "fsdp_wrap_classes": "each of these blocks is wrapped, and gathered by itself",
}


def _layouts(facts: MachineFacts, probe: ProgramProbe | None) -> Iterator[_ModelLayout]:
    """The ways to lay the model out, the fastest and simplest first; each takes less memory than those before it."""
    blocks = [block.kind for block in probe.blocks] if probe is not None else []
    recomputing = {"activation_checkpointing": blocks} if blocks else {}
    wrapped = {"fsdp_wrap_classes": blocks} if blocks else {}
    plain = "ddp" if (facts.gpus or 0) > 1 else "auto"
    yield _ModelLayout(plain)
    if blocks:
        yield _ModelLayout(plain, recomputing)
    if plain == "ddp":
        yield _ModelLayout("fsdp", wrapped)
        if blocks:
            yield _ModelLayout("fsdp", wrapped | recomputing)
    if facts.software is not None and strategy_obstacle("deepspeed", facts) is None:
        yield _ModelLayout("deepspeed_stage_3_offload", recomputing)
    else:
        yield _ModelLayout("fsdp_cpu_offload", wrapped | recomputing)


def _estimate(layout: _ModelLayout, facts: MachineFacts, probe: ProgramProbe) -> Estimate:
    from lightning_tui.plan.estimate import estimate
    from lightning_tui.plan.setting import Setting

    setting = Setting(strategy=layout.strategy, precision=best_precision(facts), devices=facts.gpus or 1)
    return estimate(probe, setting.under(layout.fields), facts.gpu_memory)


def _best(judged: list[tuple[_ModelLayout, Estimate]]) -> tuple[_ModelLayout, Estimate]:
    """The first that fits; else the first that is tight; else the last, which takes the least."""
    for verdict in ("fits", "tight"):
        for layout, estimate in judged:
            if estimate.fits == verdict:
                return layout, estimate
    return judged[-1]


def _why_first(facts: MachineFacts) -> str:
    if (facts.gpus or 0) > 1:
        return f"one process for each of {facts.gpus} GPUs; not ddp_notebook: the program runs as a script"
    return "one GPU needs no strategy"


def _why_layout(
    best: _ModelLayout, found: Estimate, judged: list[tuple[_ModelLayout, Estimate]], facts: MachineFacts
) -> str:
    first, first_found = judged[0]
    if best is first and found.fits == "fits":
        return f"{_why_first(facts)}; the model fits ({_span(found, facts)})"
    if found.fits == "too large":
        return f"nothing fits by estimate ({_span(found, facts)}), this needs the least: use a smaller batch"
    if best is first:
        return f"{_why_first(facts)}; the model barely fits ({_span(found, facts)}), and nothing else certainly fits"
    before = f"{'too large' if first_found.fits == 'too large' else 'tight'} ({_span(first_found, facts)})"
    if best.strategy == first.strategy:
        return f"{_why_first(facts)}; without activation checkpointing the model is {before}"
    return f"with {first.strategy} the model is {before}, with this {_span(found, facts)}"


def _warning(best: _ModelLayout, probe: ProgramProbe | None) -> str:
    """FSDP cannot clip by norm, and a script may ask for that."""
    clips = probe is not None and probe.trainer.get("gradient_clip_val")
    by_norm = probe is not None and probe.trainer.get("gradient_clip_algorithm") in (None, "norm")
    if best.strategy.startswith("fsdp") and clips and by_norm:
        return "; the script clips gradients by norm, which FSDP does not support: clip by value, or in the model"
    return ""


def _span(estimate: Estimate, facts: MachineFacts) -> str:
    from lightning_tui.text import units as words

    if estimate.low is None or estimate.high is None:
        return "memory not known"
    low, high = words.size(estimate.low), words.size(estimate.high)
    of = f" of {words.size(facts.gpu_memory)}" if facts.gpu_memory is not None else ""
    return f"estimate {low} to {high}{of}"


def _data_loading(
    facts: MachineFacts, environment: Environment, probe: ProgramProbe | None
) -> dict[str, tuple[Any, str]]:
    workers = _workers(facts, environment)
    if workers is None:
        return {}
    count, reason = workers
    own = probe.loader.num_workers if probe is not None and probe.loader is not None else None
    script = f"; the script has {own}" if own is not None else ""
    fields: dict[str, tuple[Any, str]] = {"num_workers": (count, reason + script)}
    if count > 0:
        fields["persistent_workers"] = (True, "workers are kept between epochs")
    if facts.gpus:
        fields["pin_memory"] = (True, "batches are copied to the GPU faster from pinned memory")
    return fields


def _workers(facts: MachineFacts, environment: Environment) -> tuple[int, str] | None:
    """Loading processes per rank, by the cores; and what the usual rule of two per GPU, at most 8, would say."""
    if any(finding.id == "small-shm" for finding in environment.findings):
        return 0, "shared memory is so small that workers would fail with a bus error"
    if facts.cpus is None:
        return None
    ranks = max(1, facts.gpus or 0)
    by_cores = max(0, facts.cpus // ranks - 1)
    workers = min(by_cores, MOST_WORKERS)
    each = f"{facts.cpus} cores for {ranks} rank{'s' if ranks > 1 else ''}, one left for each"
    most = f", at most {MOST_WORKERS}" if by_cores > MOST_WORKERS else ""
    usual = f"; two per GPU would be {min(2 * facts.gpus, 8)}" if facts.gpus else ""
    return workers, f"{each}{most}{usual}"
