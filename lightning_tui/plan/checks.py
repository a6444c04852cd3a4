"""Can this plan work on this machine? What surely cannot is refused before anything starts, with the way out."""

from __future__ import annotations

import difflib
from pathlib import Path

from lightning_tui.plan.catalog import KNOWN_STRATEGIES, MachineFacts, strategy_obstacle
from lightning_tui.plan.model import Plan, PlanError
from lightning_tui.plan.registered import registered_strategies

_GPU = ("gpu", "cuda")


def check_plan(plan: Plan, *, facts: MachineFacts, interpreter: Path) -> None:
    """Refuse what surely cannot work. What the plan leaves to the script is taken as the Trainer's default.

    Raises:
        PlanError: the message names the value, what is allowed and the fix.
    """
    _check_accelerator(plan, facts)
    _check_strategy(plan, facts, interpreter)
    if plan.devices is None:
        return
    if _is_on_gpu(plan, facts):
        _check_gpus(plan.devices, facts)
    elif _is_on_cpu(plan, facts):
        _check_processes(plan.devices, facts)


def _is_on_gpu(plan: Plan, facts: MachineFacts) -> bool:
    return plan.accelerator in _GPU or (plan.accelerator in (None, "auto") and bool(facts.gpus))


def _is_on_cpu(plan: Plan, facts: MachineFacts) -> bool:
    return plan.accelerator == "cpu" or (plan.accelerator in (None, "auto") and facts.gpus == 0)


def _check_accelerator(plan: Plan, facts: MachineFacts) -> None:
    if plan.accelerator in _GPU and facts.gpus == 0:
        raise PlanError(
            f"accelerator={plan.accelerator!r}: no GPU can be used here. Take auto or cpu, or run "
            "`lightning-tui doctor` to see why there is none."
        )


def _check_strategy(plan: Plan, facts: MachineFacts, interpreter: Path) -> None:
    name = plan.strategy
    if name is None:
        return
    if name not in KNOWN_STRATEGIES:
        _check_registered(name, interpreter)
    if name.startswith(("fsdp", "deepspeed")) and plan.accelerator == "cpu":
        raise PlanError(f"strategy={name!r} needs a CUDA GPU, but accelerator='cpu'. Take auto or ddp, or a GPU.")
    obstacle = strategy_obstacle(name, facts)
    if obstacle is not None and plan.accelerator != "tpu":
        raise PlanError(f"strategy={name!r} {obstacle}, which is not here. Take auto or ddp.")


def _check_registered(name: str, interpreter: Path) -> None:
    registered = registered_strategies(interpreter)
    if name in registered:
        return
    names = list(dict.fromkeys((*KNOWN_STRATEGIES, *registered)))
    near = difflib.get_close_matches(name, names, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise PlanError(f"strategy={name!r} is none that Lightning knows.{hint} Allowed: {', '.join(names)}.")


def _check_gpus(devices: int | str | list[int], facts: MachineFacts) -> None:
    present = facts.gpus
    if present is None:
        return
    if isinstance(devices, list) and max(devices) >= present:
        raise PlanError(f"devices={devices}: there is no GPU {max(devices)}. {_gpus_allowed(present)}")
    if isinstance(devices, int) and devices > present:
        raise PlanError(f"devices={devices}: there are not so many GPUs. {_gpus_allowed(present)}")


def _gpus_allowed(present: int) -> str:
    if present == 1:
        return "Allowed is the one GPU there is: 1, auto or [0]. Or train on the CPU: accelerator cpu."
    return f"Allowed are 1 to {present}, auto, or a list of indices from 0 to {present - 1}."


def _check_processes(devices: int | str | list[int], facts: MachineFacts) -> None:
    if isinstance(devices, list):
        raise PlanError(
            f"devices={devices}: a list names GPUs, and this trains on the CPU. Take a number of processes."
        )
    if devices == -1:
        raise PlanError("devices=-1: a CPU has no such thing as all devices. Take a number of processes, or auto.")
    most = max(2, facts.cpus) if facts.cpus is not None else None
    if most is not None and isinstance(devices, int) and devices > most:
        raise PlanError(f"devices={devices}: more processes than CPUs. Allowed are 1 to {most}, or auto.")
