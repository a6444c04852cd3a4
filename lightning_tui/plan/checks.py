"""Can this plan work on this machine? What surely cannot is refused before anything starts, with the way out."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

from lightning_tui.environment import reason_not_to_start
from lightning_tui.plan.catalog import KNOWN_STRATEGIES, precision_obstacle, strategy_family, strategy_obstacle
from lightning_tui.plan.combinations import find_contradictions
from lightning_tui.plan.facts import MachineFacts
from lightning_tui.plan.model import Plan, PlanError
from lightning_tui.plan.registered import registered_strategies

GPU = ("gpu", "cuda")


def check_plan(plan: Plan, *, facts: MachineFacts, interpreter: Path) -> None:
    """Refuse what surely cannot work. What the plan leaves to the script is taken as the Trainer's default.

    Raises:
        PlanError: the message names the value, what is allowed and the fix.
    """
    for problem in find_obstacles(plan, facts=facts, interpreter=interpreter):
        raise PlanError(problem)


def find_obstacles(plan: Plan, *, facts: MachineFacts, interpreter: Path) -> Iterator[str]:
    """Give a sentence for each thing that surely keeps this plan from working here; the gravest first.

    The interpreter is asked for its strategies, which takes seconds, only for a name that is not known here.
    """
    reason = reason_not_to_start(facts.software) if facts.software is not None else None
    if reason is not None:
        yield reason
        return  # nothing may import it, not even to ask for more
    yield from _accelerator(plan, facts)
    yield from _strategy(plan, facts, interpreter)
    yield from _precision(plan, facts)
    yield from _devices(plan, facts)
    yield from find_contradictions(plan, facts)


def _is_on_gpu(plan: Plan, facts: MachineFacts) -> bool:
    return plan.accelerator in GPU or (plan.accelerator in (None, "auto") and bool(facts.gpus))


def _is_on_cpu(plan: Plan, facts: MachineFacts) -> bool:
    return plan.accelerator == "cpu" or (plan.accelerator in (None, "auto") and facts.gpus == 0)


def _accelerator(plan: Plan, facts: MachineFacts) -> Iterator[str]:
    if plan.accelerator in GPU and facts.gpus == 0:
        because = f" ({facts.no_gpus_because})" if facts.no_gpus_because else ""
        yield (
            f"accelerator={plan.accelerator!r}: no GPU can be used here{because}. Use auto or cpu, or run "
            "`lightning-tui doctor` to see the reason."
        )


def _strategy(plan: Plan, facts: MachineFacts, interpreter: Path) -> Iterator[str]:
    name = plan.strategy
    if name is None:
        return
    if name not in KNOWN_STRATEGIES:
        yield from _unknown(name, interpreter)
    refusal = _by_accelerator(name, plan.accelerator)
    obstacle = strategy_obstacle(name, facts)
    is_elsewhere = plan.accelerator == "tpu" or (name == "single_device" and plan.accelerator == "cpu")
    if refusal is not None:
        yield refusal
    elif obstacle is not None and not is_elsewhere:
        yield f"strategy={name!r} {obstacle}. {_instead(name)}"


def _instead(name: str) -> str:
    return "Use auto or ddp." if strategy_family(name) in ("fsdp", "deepspeed", "xla") else "Or use auto."


def _by_accelerator(name: str, accelerator: str | None) -> str | None:
    """Lightning's own refusals of a strategy on an accelerator."""
    family = strategy_family(name)
    if accelerator == "mps" and family in ("ddp", "deepspeed"):
        return (
            f"strategy={name!r}: strategies from the DDP family are not supported on the MPS accelerator. "
            "Use auto with one device, or accelerator cpu."
        )
    if accelerator in ("cpu", "mps", "tpu") and family in ("fsdp", "deepspeed"):
        return f"strategy={name!r} needs a CUDA GPU, but accelerator={accelerator!r}. Use auto or ddp, or a GPU."
    if accelerator == "tpu" and family not in ("xla", "auto"):
        return f"strategy={name!r}: a TPU can only be used with the strategy xla. Use xla or auto."
    if accelerator not in (None, "auto", "tpu") and family == "xla":
        return f"strategy={name!r} needs a TPU, but accelerator={accelerator!r}. Use auto or ddp, or accelerator tpu."
    return None


def _unknown(name: str, interpreter: Path) -> Iterator[str]:
    registered = registered_strategies(interpreter)
    if name in registered:
        return
    names = list(dict.fromkeys((*KNOWN_STRATEGIES, *registered)))
    near = difflib.get_close_matches(name, names, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    yield f"strategy={name!r} is not known to Lightning.{hint} Allowed: {', '.join(names)}."


def _precision(plan: Plan, facts: MachineFacts) -> Iterator[str]:
    if plan.precision is None:
        return
    obstacle = precision_obstacle(plan.precision, facts, plan.strategy)
    if obstacle is not None:
        way_out = "Use one of these." if "is not supported with" in obstacle else "Or use bf16-mixed."
        yield f"precision={plan.precision!r} {obstacle}. {way_out}"
    elif plan.precision.startswith("transformer-engine") and plan.accelerator in ("cpu", "mps", "tpu"):
        yield f"precision={plan.precision!r} needs a CUDA GPU, but accelerator={plan.accelerator!r}. Use bf16-mixed."
    elif plan.precision in ("64", "64-true") and plan.accelerator == "mps":
        yield f"precision={plan.precision!r}: the MPS accelerator has no 64 bit numbers. Use 32-true."


def _devices(plan: Plan, facts: MachineFacts) -> Iterator[str]:
    if plan.devices is None:
        return
    if plan.accelerator == "mps":
        if plan.devices not in (1, -1, "auto", [0]):
            yield f"devices={plan.devices}: there is one MPS device. Use 1."
    elif _is_on_gpu(plan, facts):
        yield from _gpus(plan.devices, facts)
    elif _is_on_cpu(plan, facts):
        yield from _processes(plan.devices, facts)


def _gpus(devices: int | str | list[int], facts: MachineFacts) -> Iterator[str]:
    present = facts.gpus
    if not present:
        return
    if isinstance(devices, list) and max(devices) >= present:
        yield f"devices={devices}: GPU {max(devices)} does not exist. {_gpus_allowed(present)}"
    if isinstance(devices, int) and devices > present:
        yield f"devices={devices}: there are fewer GPUs. {_gpus_allowed(present)}"


def _gpus_allowed(present: int) -> str:
    if present == 1:
        return "Allowed: 1, auto or [0], for the one GPU. Or train on the CPU: accelerator cpu."
    return f"Allowed: 1 to {present}, auto, or a list of indices from 0 to {present - 1}."


def _processes(devices: int | str | list[int], facts: MachineFacts) -> Iterator[str]:
    if isinstance(devices, list):
        yield f"devices={devices}: a list names GPUs, but this trains on the CPU. Give a number of processes."
        return
    if devices == -1:
        yield "devices=-1: 'all devices' has no meaning on a CPU. Give a number of processes, or auto."
    most = max(2, facts.cpus) if facts.cpus is not None else None
    if most is not None and isinstance(devices, int) and devices > most:
        yield f"devices={devices}: more processes than CPUs. Allowed: 1 to {most}, or auto."
