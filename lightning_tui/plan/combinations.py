"""Which fields of a plan contradict each other? One small rule for each answer.

Each says what Lightning, torch or DeepSpeed would say, most of it only once the training has begun, and the way out.
Fields that a plan leaves to the script are taken as unknown and accuse nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lightning_tui.plan.catalog import strategy_family
from lightning_tui.plan.facts import MachineFacts
from lightning_tui.plan.model import Plan

_Rule = Callable[[Plan, MachineFacts], Iterator[str]]

_OPTIONS = {
    "ddp": ("ddp_",),
    "fsdp": ("fsdp_",),
    "deepspeed": ("deepspeed_",),
    "model_parallel": ("data_parallel_size", "tensor_parallel_size"),
}
"""How the options of each family of strategies begin."""


def find_contradictions(plan: Plan, facts: MachineFacts) -> Iterator[str]:
    """Give a sentence for each contradiction between fields of the plan."""
    for rule in _RULES:
        yield from rule(plan, facts)


def device_count(plan: Plan, facts: MachineFacts) -> int | None:
    """Return how many devices of one node a plan means; `None` where it leaves that open, or it is not known."""
    if isinstance(plan.devices, list):
        return len(plan.devices)
    if isinstance(plan.devices, int) and plan.devices > 0:
        return plan.devices
    is_on_gpu = plan.accelerator in ("gpu", "cuda") or (plan.accelerator in (None, "auto") and facts.gpus)
    if plan.devices in (-1, "auto") and is_on_gpu:
        return facts.gpus
    return 1 if plan.devices == "auto" and (plan.accelerator == "cpu" or facts.gpus == 0) else None


def _options_of_others(plan: Plan, facts: MachineFacts) -> Iterator[str]:
    """Without a strategy in the plan, its options go to the script's own, whatever that is."""
    fields = {owner: [n for n in plan.changes() if n.startswith(beginnings)] for owner, beginnings in _OPTIONS.items()}
    owners = [owner for owner, names in fields.items() if names]
    if plan.strategy is None:
        if len(owners) > 1:
            first, second = fields[owners[0]][0], fields[owners[1]][0]
            yield f"{first} belongs to the strategy {owners[0]} and {second} to {owners[1]}. Remove one of them."
        return
    family = strategy_family(plan.strategy)
    for owner in owners:
        if owner != family and (owner, family) != ("ddp", "auto"):  # with options of ddp, auto becomes ddp
            name = fields[owner][0]
            yield (
                f"{name}={getattr(plan, name)!r} belongs to the strategy {owner}, and the strategy is "
                f"{plan.strategy!r}. Use strategy {owner}, or remove {name}."
            )


def _ddp_options(plan: Plan, facts: MachineFacts) -> Iterator[str]:
    name, wanted = plan.strategy or "", plan.ddp_find_unused_parameters
    said = {"_true": True, "_false": False}.get(name[name.rfind("_") :]) if "unused_parameters" in name else None
    if wanted is not None and said is not None and wanted != said:
        yield (
            f"ddp_find_unused_parameters={wanted} contradicts strategy={name!r}. Use strategy ddp, or set only "
            "one of the two."
        )


def _fsdp_options(plan: Plan, facts: MachineFacts) -> Iterator[str]:
    if plan.fsdp_sharding_strategy == "HYBRID_SHARD" and not (plan.fsdp_wrap_classes or plan.fsdp_wrap_min_params):
        yield (
            "fsdp_sharding_strategy='HYBRID_SHARD': the hybrid sharding strategy requires an auto_wrap_policy. "
            "Set fsdp_wrap_classes or fsdp_wrap_min_params, or use FULL_SHARD."
        )
    if plan.strategy == "fsdp_cpu_offload" and plan.fsdp_cpu_offload is False:
        yield "fsdp_cpu_offload=False contradicts strategy='fsdp_cpu_offload'. Use strategy fsdp."


def _deepspeed_options(plan: Plan, facts: MachineFacts) -> Iterator[str]:
    name = plan.strategy or ""
    if not name.startswith("deepspeed"):
        return
    named = int(name[16]) if name.startswith("deepspeed_stage_") else None
    if plan.deepspeed_stage is not None and named is not None and plan.deepspeed_stage != named:
        yield f"deepspeed_stage={plan.deepspeed_stage} contradicts strategy={name!r}. Use strategy deepspeed."
    stage = plan.deepspeed_stage if plan.deepspeed_stage is not None else named or 2  # DeepSpeedStrategy's default
    if plan.deepspeed_offload_parameters and stage != 3:
        yield (
            f"deepspeed_offload_parameters=True: parameters can be offloaded with ZeRO stage 3 only, and the "
            f"stage is {stage}. Set deepspeed_stage to 3, or use deepspeed_offload_optimizer."
        )
    if plan.deepspeed_offload_optimizer and stage == 0:
        yield (
            "deepspeed_offload_optimizer=True needs ZeRO, and stage 0 does not use it. Set deepspeed_stage to "
            "1, 2 or 3."
        )
    if plan.deepspeed_nvme_path is not None and stage != 3:
        yield (
            f"deepspeed_nvme_path={plan.deepspeed_nvme_path!r}: offloading to NVMe works with ZeRO stage 3 only, and "
            f"the stage is {stage}. Set deepspeed_stage to 3."
        )


def _parallel_sizes(plan: Plan, facts: MachineFacts) -> Iterator[str]:
    if plan.strategy != "model_parallel":
        return
    devices, nodes = device_count(plan, facts), plan.num_nodes or 1
    data, tensor = plan.data_parallel_size, plan.tensor_parallel_size
    # What "auto" means: data-parallel over the nodes, tensor-parallel over the devices of one (`model_parallel.py`).
    data_size = data if isinstance(data, int) else nodes
    tensor_size = tensor if isinstance(tensor, int) else devices
    if devices is None or tensor_size is None or data_size * tensor_size == devices * nodes:
        return
    sizes = (
        f"data_parallel_size={data_size}{'' if isinstance(data, int) else ' (auto: the nodes)'} and "
        f"tensor_parallel_size={tensor_size}{'' if isinstance(tensor, int) else ' (auto: the devices of a node)'}"
    )
    yield (
        f"The sizes {sizes} multiplied must equal the world size ({devices * nodes}). Set both so that they do, or "
        "change devices."
    )


def _clipping(plan: Plan, facts: MachineFacts) -> Iterator[str]:
    family, algorithm = strategy_family(plan.strategy or ""), plan.gradient_clip_algorithm
    if family == "fsdp" and plan.gradient_clip_val and algorithm in (None, "norm"):
        yield (
            f"gradient_clip_val={plan.gradient_clip_val}: gradient_clip_algorithm='norm' is currently not supported "
            "for FSDPPrecision. Use gradient_clip_algorithm value, or clip in the model's configure_gradient_clipping."
        )
    if family == "deepspeed" and algorithm == "value":
        yield "gradient_clip_algorithm='value': DeepSpeed does not support clipping gradients by value. Use norm."


def _batchnorm(plan: Plan, facts: MachineFacts) -> Iterator[str]:
    if not plan.sync_batchnorm:
        return
    family = strategy_family(plan.strategy or "auto")
    is_alone = device_count(plan, facts) == 1 and (plan.num_nodes or 1) == 1
    if family not in ("auto", "ddp", "fsdp"):
        yield f"sync_batchnorm=True: only ddp and fsdp support it, not strategy={plan.strategy!r}. Remove it."
    elif is_alone:
        yield "sync_batchnorm=True: with a single device there is nothing to synchronise. Remove it."
    elif plan.accelerator == "cpu" or (plan.accelerator in (None, "auto") and facts.gpus == 0):
        yield "sync_batchnorm=True: SyncBatchNorm expects its input on a GPU, and this is the CPU. Remove it."


def _data_loading(plan: Plan, facts: MachineFacts) -> Iterator[str]:
    if plan.num_workers != 0:
        return
    if plan.persistent_workers:
        yield "persistent_workers=True: persistent_workers option needs num_workers > 0. Set num_workers to 1 or more."
    if plan.prefetch_factor is not None:
        yield (
            f"prefetch_factor={plan.prefetch_factor}: the prefetch_factor option could only be specified in "
            "multiprocessing. Set num_workers to 1 or more, or remove it."
        )


def _checkpoints(plan: Plan, facts: MachineFacts) -> Iterator[str]:
    fields = [name for name in plan.changes() if name.startswith("checkpoint_")]
    if plan.enable_checkpointing is False and fields:
        yield f"enable_checkpointing=False, but {fields[0]} asks for a ModelCheckpoint. Remove one of them."
    top_k = plan.checkpoint_save_top_k
    if top_k not in (None, -1, 0, 1) and plan.checkpoint_monitor is None:
        yield (
            f"checkpoint_save_top_k={top_k}: ModelCheckpoint(save_top_k={top_k}, monitor=None) is not a valid "
            "configuration. No quantity for top_k to track. Set checkpoint_monitor, or use -1, 0 or 1."
        )


def _reproducibility(plan: Plan, facts: MachineFacts) -> Iterator[str]:
    if plan.deterministic and plan.benchmark:
        yield (
            f"deterministic={plan.deterministic!r} and benchmark=True: PyTorch ignores "
            "torch.backends.cudnn.deterministic=True when torch.backends.cudnn.benchmark=True. Remove one of them."
        )


def _tuning(plan: Plan, facts: MachineFacts) -> Iterator[str]:
    if plan.auto_scale_batch_size is None:
        return
    if _is_distributed(plan, facts):
        yield (
            f"auto_scale_batch_size={plan.auto_scale_batch_size!r}: tuning the batch size is currently not supported "
            "with distributed strategies. Find it on one device: strategy auto, devices 1."
        )
    if plan.batch_size is not None:
        yield f"batch_size={plan.batch_size} and auto_scale_batch_size both set the batch size. Remove one of them."


def _compilation(plan: Plan, facts: MachineFacts) -> Iterator[str]:
    if plan.compile is not None and strategy_family(plan.strategy or "auto") in ("deepspeed", "model_parallel", "xla"):
        yield (
            f"compile={plan.compile!r}: using a compiled model is incompatible with strategy={plan.strategy!r}. "
            "Only one device, ddp and fsdp support compilation."
        )


def _is_distributed(plan: Plan, facts: MachineFacts) -> bool:
    """As Lightning's connector sees it: by the strategy's class, even on one device."""
    family = strategy_family(plan.strategy or "auto")
    if family != "auto":
        return family in ("ddp", "fsdp", "deepspeed", "model_parallel")
    return plan.strategy == "auto" and ((device_count(plan, facts) or 1) > 1 or (plan.num_nodes or 1) > 1)


_RULES: tuple[_Rule, ...] = (
    _options_of_others,
    _ddp_options,
    _fsdp_options,
    _deepspeed_options,
    _parallel_sizes,
    _clipping,
    _batchnorm,
    _data_loading,
    _checkpoints,
    _reproducibility,
    _tuning,
    _compilation,
)
