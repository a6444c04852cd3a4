"""The plan: how a program shall run. A field that is `None` stays as the script says and is never touched."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from lightning_tui.plan import kinds
from lightning_tui.plan.kinds import Kind
from lightning_tui.refusal import UsageError

PRECISIONS = (
    "32-true",
    "16-mixed",
    "bf16-mixed",
    "16-true",
    "bf16-true",
    "64-true",
    "transformer-engine",
    "transformer-engine-float16",
)
"""Lightning's precision words (`lightning/fabric/connector.py`); it also takes 16, 32, 64 and "bf16"."""

ACCELERATORS = ("auto", "cpu", "gpu", "cuda", "mps", "tpu")

SHARDING_STRATEGIES = ("FULL_SHARD", "SHARD_GRAD_OP", "HYBRID_SHARD", "NO_SHARD")
"""FSDP's, as `FSDPStrategy(sharding_strategy=...)` names them."""


class PlanError(UsageError, ValueError):
    """A plan that cannot be meant; the message names the value, what is allowed and the fix."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Overrides for one run. Fields that are the Trainer's own arguments are named and meant as those."""

    # --- The Trainer's arguments
    accelerator: str | None = None
    strategy: str | None = None
    """A name that Lightning registers, or `model_parallel` for its `ModelParallelStrategy`."""
    precision: str | None = None
    devices: int | str | list[int] | None = None
    """A number, -1 or "auto" (all), or a list of indices."""
    num_nodes: int | None = None
    max_epochs: int | None = None
    max_steps: int | None = None
    max_time: str | None = None
    """`DD:HH:MM:SS`."""
    min_epochs: int | None = None
    min_steps: int | None = None
    accumulate_grad_batches: int | None = None
    gradient_clip_val: float | None = None
    gradient_clip_algorithm: str | None = None
    val_check_interval: int | float | None = None
    check_val_every_n_epoch: int | None = None
    num_sanity_val_steps: int | None = None
    limit_train_batches: int | float | None = None
    limit_val_batches: int | float | None = None
    log_every_n_steps: int | None = None
    deterministic: bool | str | None = None
    """True, false, or "warn" where an operation has no deterministic form."""
    benchmark: bool | None = None
    detect_anomaly: bool | None = None
    """True lets autograd name the operation whose gradient is NaN; steps take several times as long."""
    sync_batchnorm: bool | None = None
    enable_checkpointing: bool | None = None
    default_root_dir: str | None = None
    ckpt_path: str | None = None
    """Checkpoint that `fit` resumes from: a path, "last" or "best"; "none" begins anew though the script resumes."""
    weights_only: bool | None = None
    """Whether checkpoints are read as tensors and plain values alone. False lets a file run code of its own."""

    # --- Options of the strategy
    ddp_find_unused_parameters: bool | None = None
    ddp_static_graph: bool | None = None
    ddp_gradient_as_bucket_view: bool | None = None
    ddp_bucket_cap_mb: int | None = None
    """Size of a gradient bucket, MiB."""
    fsdp_sharding_strategy: str | None = None
    fsdp_cpu_offload: bool | None = None
    fsdp_limit_all_gathers: bool | None = None
    fsdp_wrap_classes: list[str] | None = None
    """Module classes that each become an FSDP unit."""
    fsdp_wrap_min_params: int | None = None
    """Every module with so many parameters becomes an FSDP unit."""
    deepspeed_stage: int | None = None
    """ZeRO stage, 0 to 3."""
    deepspeed_offload_optimizer: bool | None = None
    deepspeed_offload_parameters: bool | None = None
    deepspeed_nvme_path: str | None = None
    """Offload to this folder on an NVMe disk rather than to main memory."""
    data_parallel_size: int | str | None = None
    """Devices in a data-parallel group of `model_parallel`, or "auto"."""
    tensor_parallel_size: int | str | None = None
    """Devices in a tensor-parallel group of `model_parallel`, or "auto"."""

    # --- Memory and speed
    activation_checkpointing: list[str] | None = None
    """Module classes whose activations are computed anew in the backward pass."""
    compile: str | None = None
    """Mode of `torch.compile`."""

    # --- Checkpoints
    checkpoint_save_top_k: int | None = None
    """How many of the best are kept; -1 all, 0 none."""
    checkpoint_monitor: str | None = None
    """Name of a logged metric."""
    checkpoint_mode: str | None = None
    early_stopping_monitor: str | None = None
    """Name of a logged metric, for the script's own `EarlyStopping`."""
    checkpoint_save_last: bool | None = None
    checkpoint_on_exception: bool | None = None
    checkpoint_dir: str | None = None
    checkpoint_every_n_steps: int | None = None

    # --- Data loading
    num_workers: int | None = None
    """Processes per rank that load data; 0 loads in the training process."""
    pin_memory: bool | None = None
    persistent_workers: bool | None = None
    prefetch_factor: int | None = None
    """Batches that each worker loads ahead."""
    batch_size: int | None = None
    """Samples in a batch of each device."""
    sharing_strategy: str | None = None
    """How tensors of loading processes reach the training: `file_system` holds no file open for each."""

    # --- Tuning at the start of the fit
    auto_scale_batch_size: str | None = None
    auto_lr_find: bool | None = None

    # --- The process
    env: list[str] | None = None
    """Environment variables, each as `NAME=VALUE`; they win over what the script sets. `MASTER_PORT=free` is a port
    that is free at the start."""

    def changes(self) -> dict[str, Any]:
        """Only the fields that are set."""
        return {name: value for name in FIELDS if (value := getattr(self, name)) is not None}

    def with_field(self, name: str, text: str) -> Plan:
        """Return the plan with one field set from what a person typed; empty text means "as the script says".

        Raises:
            PlanError: no such field, or the text is no value for it.
        """
        return msgspec.structs.replace(self, **{field_name(name): parse_value(name, text) if text.strip() else None})

    def to_toml(self) -> str:
        """Return the fields that are set as a plan file: TOML, one a line, read back unchanged."""
        return "".join(f"{name} = {_as_toml(value)}\n" for name, value in self.changes().items())


FIELDS: tuple[str, ...] = Plan.__struct_fields__

_BATCHES = kinds.share_or_count("a fraction from 0.0 to 1.0, or a whole number of batches")

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "accelerator": kinds.choice(*ACCELERATORS),
        "strategy": kinds.text(),
        "precision": kinds.choice(*PRECISIONS, also=("16", "32", "64", "bf16")),
        "devices": kinds.devices(),
        "num_nodes": kinds.whole(1),
        "max_epochs": kinds.whole(-1),
        "max_steps": kinds.whole(-1),
        "max_time": kinds.time_span(),
        "min_epochs": kinds.whole(0),
        "min_steps": kinds.whole(0),
        "accumulate_grad_batches": kinds.whole(1),
        "gradient_clip_val": kinds.number(0),
        "gradient_clip_algorithm": kinds.choice("norm", "value"),
        "val_check_interval": kinds.share_or_count(
            "a fraction of the epoch from 0.0 to 1.0, or a whole number of batches"
        ),
        "check_val_every_n_epoch": kinds.whole(1),
        "num_sanity_val_steps": kinds.whole(-1),
        "limit_train_batches": _BATCHES,
        "limit_val_batches": _BATCHES,
        "log_every_n_steps": kinds.whole(0),
        "deterministic": kinds.flag_or("warn"),
        "benchmark": kinds.flag(),
        "detect_anomaly": kinds.flag(),
        "sync_batchnorm": kinds.flag(),
        "enable_checkpointing": kinds.flag(),
        "default_root_dir": kinds.text(),
        "ckpt_path": kinds.text(),
        "weights_only": kinds.flag(),
        "ddp_find_unused_parameters": kinds.flag(),
        "ddp_static_graph": kinds.flag(),
        "ddp_gradient_as_bucket_view": kinds.flag(),
        "ddp_bucket_cap_mb": kinds.whole(1),
        "fsdp_sharding_strategy": kinds.choice(*SHARDING_STRATEGIES),
        "fsdp_cpu_offload": kinds.flag(),
        "fsdp_limit_all_gathers": kinds.flag(),
        "fsdp_wrap_classes": kinds.class_names(),
        "fsdp_wrap_min_params": kinds.whole(1),
        "deepspeed_stage": kinds.whole(0, 3),
        "deepspeed_offload_optimizer": kinds.flag(),
        "deepspeed_offload_parameters": kinds.flag(),
        "deepspeed_nvme_path": kinds.text(),
        "data_parallel_size": kinds.whole_or("auto", 1),
        "tensor_parallel_size": kinds.whole_or("auto", 1),
        "activation_checkpointing": kinds.class_names(),
        "compile": kinds.choice("default", "reduce-overhead", "max-autotune"),
        "checkpoint_save_top_k": kinds.whole(-1),
        "checkpoint_monitor": kinds.text(),
        "checkpoint_mode": kinds.choice("min", "max"),
        "early_stopping_monitor": kinds.text(),
        "checkpoint_save_last": kinds.flag(),
        "checkpoint_on_exception": kinds.flag(),
        "checkpoint_dir": kinds.text(),
        "checkpoint_every_n_steps": kinds.whole(1),
        "num_workers": kinds.whole(0),
        "pin_memory": kinds.flag(),
        "persistent_workers": kinds.flag(),
        "prefetch_factor": kinds.whole(1),
        "batch_size": kinds.whole(1),
        "sharing_strategy": kinds.choice("file_descriptor", "file_system"),
        "auto_scale_batch_size": kinds.choice("power", "binsearch"),
        "auto_lr_find": kinds.flag(),
        "env": kinds.variables(),
    }
)
"""What may stand in each field."""


def plan_from_mapping(values: Mapping[str, Any]) -> Plan:
    """Make a plan from a plain mapping (a plan file, a run's record).

    Raises:
        PlanError: an unknown field, or a value that cannot be meant.
    """
    return msgspec.structs.replace(Plan(), **{field_name(n): _checked(field_name(n), v) for n, v in values.items()})


def field_name(name: str) -> str:
    """Return the plan's name of a field given with dashes or underscores.

    Raises:
        PlanError: there is no such field; the message offers the nearest.
    """
    plain = name.strip().replace("-", "_")
    if plain in FIELDS:
        return plain
    near = difflib.get_close_matches(plain, FIELDS, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise PlanError(f"{name!r} is not a field of a plan.{hint} Fields: {', '.join(FIELDS)}.")


def parse_value(name: str, text: str) -> Any:
    """Turn what a person typed into a field's value.

    Raises:
        PlanError: the text is no value for this field.
    """
    name = field_name(name)
    return _checked(name, KINDS[name].parse(text.strip()))


def _checked(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name == "precision" and type(value) is int:  # Lightning's old way to say it
        value = str(value)
    try:
        is_accepted = KINDS[name].accepts(value)
    except TypeError:  # a value that cannot be compared, such as a list where a word stands
        is_accepted = False
    if not is_accepted:
        raise PlanError(f"{name}={value!r}. Allowed: {KINDS[name].allowed}.")
    return value


def _as_toml(value: Any) -> str:
    """Write a field's value. For printable text, numbers, booleans and lists of them, JSON's form is TOML's too."""
    import json  # not for the cockpit's first frame

    return json.dumps(value, ensure_ascii=False, allow_nan=False)
