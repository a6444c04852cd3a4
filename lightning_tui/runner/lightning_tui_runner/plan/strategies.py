"""The strategy that a plan means: a name, a new object with the plan's options, or the script's own with them in it."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from .module_classes import OfClasses
from .options import (
    MODEL_PARALLEL,
    STRATEGY_ARGUMENTS,
    STRATEGY_OPTIONS,
    meant_strategy,
    strategy_arguments,
)

_DDP = STRATEGY_ARGUMENTS["DDPStrategy"]


def planned_strategy(script: Any, plan: dict[str, Any], flavour: str, say: Callable[[str], None]) -> Any:
    """Return what to pass as the Trainer's `strategy`. `script` is what the program passes, `None` where nothing.

    The script's own object stays, with the plan's options in it, where it is of the class that the plan names.

    Raises:
        Exception: whatever Lightning raises where the strategy cannot be made (DeepSpeed is not installed).
    """
    name = plan.get("strategy")
    options = {option: plan[option] for option in STRATEGY_OPTIONS if option in plan}
    if name is None and not options:
        return script
    found = _class_and_keywords(name, script, options, flavour)
    if found is None:
        _say_unused(options, name or script or "auto", say)
        return script if name is None else name
    strategy_class, named = found
    family = _family(strategy_class)
    idle = [option for option in options if option not in STRATEGY_ARGUMENTS.get(family, {})]
    _say_unused(idle, strategy_class.__name__, say)
    arguments = strategy_arguments(family, named, options, wrap_policy)
    if isinstance(script, strategy_class):
        _FAMILIES.get(family, _OTHER).change(script, arguments)
        return script
    if len(idle) == len(options) and name != MODEL_PARALLEL:
        return script if name is None else name
    return strategy_class(**arguments)


def recomputes_itself(strategy: Any, names: list[str]) -> bool:
    """Whether the strategy will checkpoint the activations of the named classes: FSDP does, before it shards."""
    if _family(type(strategy)) != "FSDPStrategy":
        return False
    strategy._activation_checkpointing_kwargs = {"auto_wrap_policy": wrap_policy(names, None)}
    return True


def options_of(strategy: Any) -> dict[str, Any]:
    """The options that a strategy object holds, under the plan's names; what it leaves to torch is not in it."""
    return _FAMILIES.get(_family(type(strategy)), _OTHER).read(strategy)


def options_in_effect(strategy: Any) -> dict[str, Any]:
    """The options as the wrapped model has them, where it is wrapped already; as the strategy holds them, else."""
    return {**options_of(strategy), **_live_ddp(strategy.model), **_live_fsdp(strategy.model)}


def _family(strategy_class: type) -> str:
    """The name of Lightning's class that this one is or derives from; empty for one that no option belongs to."""
    return next((base.__name__ for base in strategy_class.__mro__ if base.__name__ in STRATEGY_ARGUMENTS), "")


def _class_and_keywords(
    name: str | None, script: Any, options: dict[str, Any], flavour: str
) -> tuple[type, dict[str, Any]] | None:
    """Return the strategy's class and what its name stands for; `None` where Lightning shall choose or refuse."""
    strategies = importlib.import_module(f"{flavour}.strategies")
    if name is None and isinstance(script, strategies.Strategy):
        return type(script), {}
    wanted = meant_strategy(name or script or "auto", options)
    if wanted == MODEL_PARALLEL:
        return strategies.ModelParallelStrategy, {}
    if wanted not in strategies.StrategyRegistry:
        return None
    entry = strategies.StrategyRegistry[wanted]
    return entry["strategy"], dict(entry["init_params"])


def _say_unused(options: Iterable[str], strategy: Any, say: Callable[[str], None]) -> None:
    unused = ", ".join(options)
    if unused:
        say(f"{unused}: not in effect, since the strategy is {strategy}")


# ------------------------------------------------------------------------------------------------------------------ DDP


def _change_ddp(strategy: Any, keywords: dict[str, Any]) -> None:
    keywords = dict(keywords)
    strategy._start_method = keywords.pop("start_method", strategy._start_method)
    strategy._ddp_kwargs = {**strategy._ddp_kwargs, **keywords}


def _read_ddp(strategy: Any) -> dict[str, Any]:
    kept = strategy._ddp_kwargs
    return {option: kept[keyword] for option, keyword in _DDP.items() if keyword in kept}


def _live_ddp(model: Any) -> dict[str, Any]:
    from torch.nn.parallel import DistributedDataParallel

    if not isinstance(model, DistributedDataParallel):
        return {}
    live = {option: getattr(model, keyword, None) for option, keyword in _DDP.items()}
    return {**live, "ddp_bucket_cap_mb": model.bucket_bytes_cap // 2**20}


# ----------------------------------------------------------------------------------------------------------------- FSDP


def wrap_policy(names: list[str] | None, min_params: int | None) -> Callable[..., Any] | None:
    """Return a torch wrap policy: modules of the named classes, and those with at least `min_params` parameters."""
    from torch.distributed.fsdp import wrap

    policies: list[Callable[..., Any]] = []
    if names is not None:
        policies.append(functools.partial(wrap.lambda_auto_wrap_policy, lambda_fn=OfClasses(names)))
    if min_params is not None:
        policies.append(functools.partial(wrap.size_based_auto_wrap_policy, min_num_params=min_params))
    if len(policies) == 2:
        return functools.partial(wrap._or_policy, policies=policies)
    return policies[0] if policies else None


def _change_fsdp(strategy: Any, keywords: dict[str, Any]) -> None:
    from torch.distributed.fsdp import CPUOffload, ShardingStrategy

    if "sharding_strategy" in keywords:
        strategy.sharding_strategy = ShardingStrategy[keywords["sharding_strategy"]]
    if "cpu_offload" in keywords:
        strategy.cpu_offload = CPUOffload(offload_params=keywords["cpu_offload"])
    for name in ("limit_all_gathers", "auto_wrap_policy"):
        if name in keywords:
            strategy.kwargs[name] = keywords[name]


def _read_fsdp(strategy: Any) -> dict[str, Any]:
    names, min_params = _wrapped(strategy.kwargs.get("auto_wrap_policy"))
    values = {
        "fsdp_sharding_strategy": strategy.sharding_strategy.name,
        "fsdp_cpu_offload": strategy.cpu_offload.offload_params,
        "fsdp_limit_all_gathers": strategy.kwargs.get("limit_all_gathers"),
        "fsdp_wrap_classes": names,
        "fsdp_wrap_min_params": min_params,
    }
    return {name: value for name, value in values.items() if value is not None}


def _live_fsdp(model: Any) -> dict[str, Any]:
    """Which classes have really become units of their own."""
    if type(model).__name__ != "FullyShardedDataParallel":  # not by the class itself, which is slow to import
        return {}
    from torch.distributed.fsdp import FullyShardedDataParallel

    units = [unit for unit in model.modules() if isinstance(unit, FullyShardedDataParallel) and unit is not model]
    return {"fsdp_wrap_classes": sorted({type(unit.module).__name__ for unit in units}) or None}


def _wrapped(policy: Any) -> tuple[list[str] | None, int | None]:
    """Return the class names and the least number of parameters in a wrap policy, ours or torch's own."""
    keywords = getattr(policy, "keywords", {})
    parts = [_wrapped(part) for part in keywords.get("policies", ())]
    classes = getattr(policy, "_module_classes", None) or keywords.get("transformer_layer_cls")
    names = sorted(class_.__name__ for class_ in classes) if classes else None
    names = getattr(keywords.get("lambda_fn"), "names", names)
    min_params = keywords.get("min_num_params")
    for part_names, part_min in parts:
        names, min_params = names or part_names, min_params or part_min
    return names, min_params


# ------------------------------------------------------------------------------------------------------------ DeepSpeed


_DEEPSPEED_SECTIONS = {"offload_optimizer": "offload_optimizer", "offload_parameters": "offload_param"}


def _change_deepspeed(strategy: Any, keywords: dict[str, Any]) -> None:
    """Change the configuration that the object holds, the script's own file included."""
    zero = strategy.config.setdefault("zero_optimization", {})
    if "stage" in keywords:
        zero["stage"] = keywords["stage"]
    for keyword, section in _DEEPSPEED_SECTIONS.items():
        if keywords.get(keyword) is False:
            zero.pop(section, None)
        elif keywords.get(keyword):
            zero.setdefault(section, {"device": "cpu"})
        if section in zero and "nvme_path" in keywords:
            zero[section] |= {"device": "nvme", "nvme_path": keywords["nvme_path"]}
    own_device = None if keywords.get("offload_parameters") is False else strategy.remote_device
    strategy.remote_device = keywords.get("remote_device", own_device)


def _read_deepspeed(strategy: Any) -> dict[str, Any]:
    zero = strategy.config.get("zero_optimization", {})
    sections = [zero[section] for section in _DEEPSPEED_SECTIONS.values() if zero.get(section)]
    paths = [section.get("nvme_path") for section in sections if section.get("device") == "nvme"]
    values = {
        "deepspeed_stage": zero.get("stage"),
        "deepspeed_offload_optimizer": bool(zero.get("offload_optimizer")),
        "deepspeed_offload_parameters": bool(zero.get("offload_param")),
        "deepspeed_nvme_path": next(iter(paths), None),
    }
    return {name: value for name, value in values.items() if value is not None}


# ------------------------------------------------------------------------------------------------------- model parallel


def _change_model_parallel(strategy: Any, keywords: dict[str, Any]) -> None:
    for name, value in keywords.items():
        setattr(strategy, f"_{name}", value)


def _read_model_parallel(strategy: Any) -> dict[str, Any]:
    return {option: getattr(strategy, f"_{option}") for option in STRATEGY_ARGUMENTS["ModelParallelStrategy"]}


class _Family(NamedTuple):
    """How the objects of one of Lightning's strategy classes keep their options."""

    change: Callable[[Any, dict[str, Any]], None]
    """Puts arguments of the class into an object that exists already."""
    read: Callable[[Any], dict[str, Any]]
    """Options under the plan's names."""


_FAMILIES = {
    "DDPStrategy": _Family(_change_ddp, _read_ddp),
    "FSDPStrategy": _Family(_change_fsdp, _read_fsdp),
    "DeepSpeedStrategy": _Family(_change_deepspeed, _read_deepspeed),
    "ModelParallelStrategy": _Family(_change_model_parallel, _read_model_parallel),
}
_OTHER = _Family(lambda strategy, arguments: None, lambda strategy: {})
