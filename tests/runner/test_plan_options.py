"""What a plan's options mean: the table against Lightning and torch themselves, and what is exported against a run."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest

from lightning_tui.plan.catalog import KNOWN_STRATEGIES
from lightning_tui.plan.export import as_python
from lightning_tui.plan.model import FIELDS, KINDS, plan_from_mapping
from lightning_tui.runner.lightning_tui_runner.plan.options import (
    CHECKPOINT_ARGUMENTS,
    FINDERS,
    LOADER_ARGUMENTS,
    MODEL_PARALLEL,
    PROCESS_FIELDS,
    STOPPING_FIELD,
    STRATEGIES,
    STRATEGY_ARGUMENTS,
    STRATEGY_OPTIONS,
    TORCH_ARGUMENTS,
    TRAINER_ARGUMENTS,
)
from lightning_tui.runner.lightning_tui_runner.plan.strategies import recomputes_itself
from lightning_tui.runner.lightning_tui_runner.wrapped_trainer import wrap_trainer

VALUES: dict[str, tuple[Any, ...]] = {
    "fsdp_sharding_strategy": ("SHARD_GRAD_OP",),
    "fsdp_wrap_classes": (["Linear"], ["torch.nn.modules.activation.ReLU"]),
    "fsdp_wrap_min_params": (100,),
    "activation_checkpointing": (["Linear"],),
    "ddp_bucket_cap_mb": (50,),
    "deepspeed_stage": (2, 3),
    "deepspeed_nvme_path": ("/nvme",),
    "data_parallel_size": (2, "auto"),
    "tensor_parallel_size": (2,),
    "checkpoint_monitor": ("val/loss",),
    "checkpoint_save_top_k": (-1, 0, 1, 5),
    "checkpoint_dir": ("/kept",),
    "checkpoint_every_n_steps": (7,),
}
"""Fields that are not worth all of their values, or have endless ones."""


def values_of(field: str) -> tuple[Any, ...]:
    return VALUES.get(field) or tuple(KINDS[field].parse(choice) for choice in KINDS[field].choices)


def combinations_of(*fields: str) -> Iterator[dict[str, Any]]:
    """Every choice of the fields and their values, among them none."""
    for chosen in product(*((None, *values_of(field)) for field in fields)):
        yield {field: value for field, value in zip(fields, chosen, strict=True) if value is not None}


# ---------------------------------------------------------------------------------------------------------- the table


def test_the_table_has_every_field_that_something_is_made_of() -> None:
    told = (*TRAINER_ARGUMENTS, *STRATEGY_OPTIONS, *CHECKPOINT_ARGUMENTS, *LOADER_ARGUMENTS, *FINDERS)
    assert len(set(told)) == len(told)
    assert set(FIELDS) - set(told) == {
        "ckpt_path",
        "activation_checkpointing",
        "compile",
        STOPPING_FIELD,
        *PROCESS_FIELDS,
    }


def test_the_names_stand_for_what_lightning_has_registered(imported_parts: Any) -> None:
    from lightning.pytorch import strategies

    registry = {
        name: (entry["strategy"], arguments_of(entry["strategy"], entry["init_params"]))
        for name, entry in strategies.StrategyRegistry.items()
        if STRATEGY_ARGUMENTS.get(entry["strategy"].__name__)
    }
    ours = {}
    for name, (class_name, named) in STRATEGIES.items():
        class_ = getattr(strategies, class_name)
        ours[name] = (class_, arguments_of(class_, named))
    assert ours.pop(MODEL_PARALLEL)[0] is strategies.ModelParallelStrategy
    assert ours == registry


def test_the_arguments_are_lightnings_and_torchs(imported_parts: Any) -> None:
    from lightning.pytorch import Trainer, callbacks, strategies
    from torch.distributed.fsdp import FullyShardedDataParallel
    from torch.nn.parallel import DistributedDataParallel
    from torch.utils.data import DataLoader

    assert set(TRAINER_ARGUMENTS) <= names_of(Trainer)
    assert set(LOADER_ARGUMENTS) <= names_of(DataLoader)
    assert set(CHECKPOINT_ARGUMENTS.values()) <= names_of(callbacks.ModelCheckpoint)
    for class_name, fields in STRATEGY_ARGUMENTS.items():
        own, asked = names_of(getattr(strategies, class_name)), set(fields.values())
        assert asked - own == asked & TORCH_ARGUMENTS, class_name
    assert not TORCH_ARGUMENTS - names_of(DistributedDataParallel) - names_of(FullyShardedDataParallel)


def names_of(class_: type) -> set[str]:
    return set(inspect.signature(class_).parameters)


def arguments_of(class_: type, given: dict[str, Any]) -> dict[str, Any]:
    """What an object of the class has been made with, the class's own defaults included."""
    bound = inspect.signature(class_).bind(**given)
    bound.apply_defaults()
    return {**bound.arguments, **bound.arguments.pop("kwargs", {})}


# ------------------------------------------------------------------------------------------- what is exported, and runs


@pytest.fixture
def recorded(imported_parts: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lightning, whose Trainer, strategies and `ModelCheckpoint` only note what they are made with."""
    from lightning import pytorch
    from lightning.pytorch import callbacks, strategies

    for class_ in (callbacks.ModelCheckpoint, *(getattr(strategies, name) for name in STRATEGY_ARGUMENTS)):
        monkeypatch.setattr(class_, "__init__", noting(class_.__init__))
    monkeypatch.setattr(pytorch, "Trainer", RecordedTrainer)
    return pytorch


def noting(original: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(original)
    def __init__(self: Any, **given: Any) -> None:  # noqa: N807
        self.given = given

    return __init__


class RecordedTrainer:
    progress_bar_callback = None

    def __init__(self, **given: Any) -> None:
        self.given = given

    def fit(self) -> None: ...

    def save_checkpoint(self, filepath: str) -> None: ...


def exported(changes: dict[str, Any]) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(as_python(plan_from_mapping(changes)), names)
    given: dict[str, Any] = names["trainer"].given
    return {**given, "callbacks": given.get("callbacks", [])}


def run(changes: dict[str, Any]) -> dict[str, Any]:
    """What reaches the Trainer of a script that passes nothing, without what is ours there."""
    module: Any = SimpleNamespace(Trainer=type("Trainer", (RecordedTrainer,), {}))
    wrap_trainer(module, flavour="lightning.pytorch", plan=changes)
    given = module.Trainer().given
    callbacks = [c for c in given.pop("callbacks") if type(c).__name__ != "LightningTuiTelemetry"]
    return {n: v for n, v in given.items() if v is not None} | {"callbacks": callbacks}


def built(given: dict[str, Any], recomputed: list[str] | None, *, late: bool) -> dict[str, Any]:
    """A Trainer's arguments, comparable: objects as their class and arguments, policies by whom they choose."""
    strategy = as_arguments(given.get("strategy"))
    if late and recomputed and isinstance(strategy, tuple):
        made = strategy[0]()
        if recomputes_itself(made, recomputed):  # a run says that to the object when the fit begins
            strategy[1]["activation_checkpointing_policy"] = made._activation_checkpointing_kwargs["auto_wrap_policy"]
    if isinstance(strategy, tuple):
        strategy = (strategy[0].__name__, {name: chosen_by(value) for name, value in strategy[1].items()})
    return {**given, "strategy": strategy, "callbacks": [as_callback(callback) for callback in given["callbacks"]]}


def as_arguments(strategy: Any) -> Any:
    """A name stands for its class, and for what the registry says of it, where options belong to that class."""
    from lightning.pytorch.strategies import StrategyRegistry

    if strategy is not None and not isinstance(strategy, str):
        return type(strategy), made_of(strategy)
    if not STRATEGIES.get(strategy or "") or strategy == MODEL_PARALLEL:
        return strategy
    entry = StrategyRegistry[strategy]
    return entry["strategy"], arguments_of(entry["strategy"], entry["init_params"])


def made_of(item: Any) -> dict[str, Any]:
    return arguments_of(type(item), item.given)


def as_callback(callback: Any) -> Any:
    if hasattr(callback, "given"):
        return type(callback).__name__, made_of(callback)
    kind = next(base.__name__ for base in type(callback).__mro__ if base.__module__.startswith("lightning."))
    return kind, getattr(callback, "_mode", None)


def chosen_by(value: Any) -> Any:
    import torch

    if not callable(value):
        return value
    modules = (torch.nn.Linear(2, 2), torch.nn.ReLU(), torch.nn.Bilinear(1, 1, 1))
    return [value(module=m, recurse=False, nonwrapped_numel=size) for m in modules for size in (99, 100)]


def cases() -> Iterator[dict[str, Any]]:
    """Every strategy with every combination of its own options, and with each option of another."""
    for name in (None, *KNOWN_STRATEGIES):
        named = {} if name is None else {"strategy": name}
        class_name = STRATEGIES.get("ddp" if name in (None, "auto") else name, ("", {}))[0]
        own = tuple(STRATEGY_ARGUMENTS.get(class_name, ()))
        yield from (named | options for options in combinations_of(*own))
        yield from (named | {field: v} for field in STRATEGY_OPTIONS if field not in own for v in values_of(field))
        yield named | {"activation_checkpointing": ["Linear"]}
    yield {"strategy": "fsdp", "fsdp_wrap_min_params": 100, "activation_checkpointing": ["Linear"]}
    yield from combinations_of(*CHECKPOINT_ARGUMENTS)
    yield from ({"enable_checkpointing": False, "checkpoint_dir": "/kept"}, {"auto_lr_find": False})
    yield from combinations_of(*FINDERS)


def test_what_is_exported_is_what_a_run_builds(recorded: Any) -> None:
    different: list[Any] = []
    for changes in cases():
        recomputed = changes.get("activation_checkpointing")
        code, ran = built(exported(changes), recomputed, late=False), built(run(changes), recomputed, late=True)
        if code != ran:
            different.append((changes, code, ran))
    assert different == []


def test_the_trainers_own_arguments_are_passed_as_they_stand(recorded: Any) -> None:
    changes = {
        "accelerator": "cpu", "precision": "bf16-mixed", "devices": [0, 2], "num_nodes": 2, "max_epochs": 7,
        "max_steps": 90, "max_time": "00:12:00:30", "min_epochs": 2, "min_steps": 3, "accumulate_grad_batches": 4,
        "gradient_clip_val": 1e-05, "gradient_clip_algorithm": "value", "val_check_interval": 0.25,
        "check_val_every_n_epoch": 2, "num_sanity_val_steps": 1, "limit_train_batches": 0.5, "limit_val_batches": 3,
        "log_every_n_steps": 9, "deterministic": "warn", "benchmark": False, "detect_anomaly": True,
        "sync_batchnorm": True, "enable_checkpointing": True, "default_root_dir": "/root",
    }  # fmt: skip
    assert {*changes, "strategy"} == set(TRAINER_ARGUMENTS)
    assert exported(changes) == run(changes) == {**changes, "callbacks": []}


@pytest.mark.parametrize(
    ("changes", "remote_device"),
    [
        ({"strategy": "deepspeed_stage_2", "deepspeed_offload_optimizer": True}, None),
        ({"strategy": "deepspeed_stage_3", "deepspeed_offload_optimizer": True}, None),
        ({"strategy": "deepspeed_stage_3", "deepspeed_offload_parameters": True}, "nvme"),
        ({"strategy": "deepspeed_stage_3_offload_nvme", "deepspeed_offload_parameters": False}, None),
    ],
)
def test_parameters_begin_on_nvme_where_they_are_kept_there(
    recorded: Any, changes: dict[str, Any], remote_device: str | None
) -> None:
    """As `deepspeed.zero.Init` demands: it refuses that device without `offload_param`, and the other way round."""
    changes = {**changes, "deepspeed_nvme_path": "/nvme"}
    for given in (exported(changes), run(changes)):
        assert given["strategy"].given.get("remote_device") == remote_device


def test_what_the_strategy_does_not_take_is_said(recorded: Any) -> None:
    code = as_python(plan_from_mapping({"fsdp_cpu_offload": True}))
    assert "# fsdp_cpu_offload: left out, since the strategy is auto" in code
    assert "strategy=" not in code
