"""What does each field of a plan mean in Lightning's and torch's terms? One table, for runs and for what is exported.

It imports nothing of ours and nothing slow: the runner reads it inside the program, `lightning_tui.plan` outside.
Lightning is 2.6 here (`lightning/pytorch/strategies/*.py`, `callbacks/model_checkpoint.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

TRAINER_ARGUMENTS = (
    "accelerator",
    "strategy",
    "precision",
    "devices",
    "num_nodes",
    "max_epochs",
    "max_steps",
    "max_time",
    "min_epochs",
    "min_steps",
    "accumulate_grad_batches",
    "gradient_clip_val",
    "gradient_clip_algorithm",
    "val_check_interval",
    "check_val_every_n_epoch",
    "num_sanity_val_steps",
    "limit_train_batches",
    "limit_val_batches",
    "log_every_n_steps",
    "deterministic",
    "benchmark",
    "detect_anomaly",
    "sync_batchnorm",
    "enable_checkpointing",
    "default_root_dir",
)
"""Fields that are the Trainer's arguments as they stand. `ckpt_path` and `weights_only` are `Trainer.fit`'s."""

LOADER_ARGUMENTS = ("num_workers", "pin_memory", "persistent_workers", "prefetch_factor", "batch_size")
"""Fields that are torch's DataLoader's arguments as they stand."""

STOPPING_FIELD = "early_stopping_monitor"
"""What the script's own `EarlyStopping` watches."""

PROCESS_FIELDS = ("env", "weights_only", "sharing_strategy")
"""Fields that say something of the process: its environment, and settings of torch's for all of it."""

TRUST_VARIABLE = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
"""By this torch reads whole files wherever the program does not say how."""

FINDERS = {"auto_scale_batch_size": "BatchSizeFinder", "auto_lr_find": "LearningRateFinder"}
"""Fields that stand for one of Lightning's callbacks."""

# ----------------------------------------------------------------------------------------------------------- strategies

STRATEGY_ARGUMENTS: dict[str, dict[str, str]] = {
    "DDPStrategy": {
        "ddp_find_unused_parameters": "find_unused_parameters",
        "ddp_static_graph": "static_graph",
        "ddp_gradient_as_bucket_view": "gradient_as_bucket_view",
        "ddp_bucket_cap_mb": "bucket_cap_mb",
    },
    "FSDPStrategy": {
        "fsdp_sharding_strategy": "sharding_strategy",
        "fsdp_cpu_offload": "cpu_offload",
        "fsdp_limit_all_gathers": "limit_all_gathers",
        "fsdp_wrap_classes": "auto_wrap_policy",
        "fsdp_wrap_min_params": "auto_wrap_policy",
    },
    "DeepSpeedStrategy": {
        "deepspeed_stage": "stage",
        "deepspeed_offload_optimizer": "offload_optimizer",
        "deepspeed_offload_parameters": "offload_parameters",
        "deepspeed_nvme_path": "nvme_path",
    },
    "ModelParallelStrategy": {
        "data_parallel_size": "data_parallel_size",
        "tensor_parallel_size": "tensor_parallel_size",
    },
    "XLAStrategy": {},  # derives from DDPStrategy, and ignores all that it would hand on to torch
}
"""By Lightning's class: the fields that belong to it, and its argument that each sets."""

STRATEGY_OPTIONS = tuple(field for fields in STRATEGY_ARGUMENTS.values() for field in fields)

TORCH_ARGUMENTS = frozenset({*STRATEGY_ARGUMENTS["DDPStrategy"].values(), "limit_all_gathers"})
"""Arguments that a strategy takes as `**kwargs` and hands on to torch."""

MODEL_PARALLEL = "model_parallel"
"""Our name for Lightning's `ModelParallelStrategy`, which its registry does not have."""

_DDP_STARTS: dict[str, dict[str, Any]] = {
    "ddp": {},
    "ddp_spawn": {"start_method": "spawn"},
    "ddp_fork": {"start_method": "fork"},
    "ddp_notebook": {"start_method": "fork"},
}
_OFFLOADED = {"offload_optimizer": True, "offload_parameters": True}
_ON_NVME = dict.fromkeys(("remote_device", "offload_params_device", "offload_optimizer_device"), "nvme")

STRATEGIES: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: ("DDPStrategy", start) for name, start in _DDP_STARTS.items()},
    **{
        f"{name}_find_unused_parameters_{str(finds).lower()}": (
            "DDPStrategy",
            {**start, "find_unused_parameters": finds},
        )
        for name, start in _DDP_STARTS.items()
        for finds in (False, True)
    },
    "fsdp": ("FSDPStrategy", {}),
    "fsdp_cpu_offload": ("FSDPStrategy", {"cpu_offload": True}),
    "deepspeed": ("DeepSpeedStrategy", {}),
    "deepspeed_stage_1": ("DeepSpeedStrategy", {"stage": 1}),
    "deepspeed_stage_2": ("DeepSpeedStrategy", {"stage": 2}),
    "deepspeed_stage_2_offload": ("DeepSpeedStrategy", {"stage": 2, "offload_optimizer": True}),
    "deepspeed_stage_3": ("DeepSpeedStrategy", {"stage": 3}),
    "deepspeed_stage_3_offload": ("DeepSpeedStrategy", {"stage": 3, **_OFFLOADED}),
    "deepspeed_stage_3_offload_nvme": ("DeepSpeedStrategy", {"stage": 3, **_OFFLOADED, **_ON_NVME}),
    MODEL_PARALLEL: ("ModelParallelStrategy", {}),
}
"""By registered name: Lightning's class and what the name sets of it, its own defaults left out. In the program itself
the registry of its Lightning counts."""


def meant_strategy(name: str, options: Iterable[str]) -> str:
    """Return the name; with options of DDP `auto` means ddp, which Lightning chooses where there is a choice."""
    is_ddp = name == "auto" and any(option in STRATEGY_ARGUMENTS["DDPStrategy"] for option in options)
    return "ddp" if is_ddp else name


def strategy_arguments(
    class_name: str, named: Mapping[str, Any], options: Mapping[str, Any], wrap_policy: Callable[..., Any]
) -> dict[str, Any]:
    """Return a strategy's arguments: what its name stands for (`named`), and over that the plan's options of it.

    `wrap_policy` makes FSDP's policy of class names and a least number of parameters, either of which may be `None`.
    """
    fields = STRATEGY_ARGUMENTS.get(class_name, {})
    arguments = {**named, **{argument: options[field] for field, argument in fields.items() if field in options}}
    if "auto_wrap_policy" in arguments:
        names, min_params = options.get("fsdp_wrap_classes"), options.get("fsdp_wrap_min_params")
        arguments["auto_wrap_policy"] = wrap_policy(names, min_params)
    if "nvme_path" in arguments:
        if not any(arguments.get(offload) for offload in _OFFLOADED):
            arguments |= _OFFLOADED  # else the folder would be for nothing
        arguments |= _ON_NVME
    if not arguments.get("offload_parameters"):
        # Parameters are made there: `deepspeed.zero.Init` refuses a device on which it does not keep them.
        arguments.pop("remote_device", None)
    return arguments


CHECKPOINT_ARGUMENTS = {
    "checkpoint_save_top_k": "save_top_k",
    "checkpoint_monitor": "monitor",
    "checkpoint_mode": "mode",
    "checkpoint_save_last": "save_last",
    "checkpoint_on_exception": "save_on_exception",
    "checkpoint_dir": "dirpath",
    "checkpoint_every_n_steps": "every_n_train_steps",
}
"""Fields and the arguments of `ModelCheckpoint` that they set."""

_CHECKPOINT_DEFAULTS = {"checkpoint_mode": "min", "checkpoint_save_top_k": 3, "checkpoint_save_last": True}


def checkpoint_settings(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields, those left open included, that a new `ModelCheckpoint` is made by."""
    return with_valid_top_k({**_CHECKPOINT_DEFAULTS, **asked})


def with_valid_top_k(settings: dict[str, Any]) -> dict[str, Any]:
    """Without a metric there is no best: Lightning then keeps all (-1), none (0) or the newest (1), nothing else."""
    if settings.get("checkpoint_monitor") is not None or settings.get("checkpoint_save_top_k") in (None, -1, 0, 1):
        return settings
    return {**settings, "checkpoint_save_top_k": 1}
