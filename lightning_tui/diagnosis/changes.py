"""Which plan fields would a suggestion change in this run? Computed of what is in effect.

`None`: the plan cannot do it here, and it is told as a plain hint. Empty: it is so already, or there is nothing that it
could be done with, and it is not told.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from lightning_tui.diagnosis.model import Evidence
from lightning_tui.plan.catalog import KNOWN_STRATEGIES
from lightning_tui.plan.model import ACCELERATORS, PRECISIONS

FIRST_WITH_BF16 = (8, 0)
"""Compute capability from which bfloat16 runs in hardware (NVIDIA CUDA C++ Programming Guide, table of features)."""

Changes = dict[str, Any]

_SIZE = r"([0-9]+(?:\.[0-9]+)?)\s*([KMGT]i?B|bytes)"
_UNITS = {"b": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_FLAGS = {
    "precision": (re.compile(r"Precision ['\"`]?([\w-]+)['\"`]? is (?:invalid|not)", re.IGNORECASE), PRECISIONS),
    "strategy": (re.compile(r"invalid strategy[^\n]{0,40}strategy=['\"]([^'\"\n]{1,60})['\"]"), KNOWN_STRATEGIES),
    "accelerator": (re.compile(r"invalid accelerator[^\n]{0,40}accelerator=['\"]([^'\"\n]{1,60})['\"]"), ACCELERATORS),
}
"""How Lightning names a word that it does not know, and those that it does."""
_REFUSED: tuple[tuple[str, Changes], ...] = (
    ("does not have a deterministic implementation", {"deterministic": "warn"}),
    ("syncbatchnorm expected input tensor to be on", {"sync_batchnorm": False}),
    ("syncbatchnorm layers only work with", {"sync_batchnorm": False}),
)
"""Words of torch's, and what of the Trainer's arguments they refuse."""
_CONDITIONED = re.compile(r"conditioned on metric [`'\"]([^`'\"\n]{1,120})[`'\"]")
_MONITOR = re.compile(r"monitor=[\"'`]+([^\"'`]{1,120})[\"'`]")


def halve_the_batch(evidence: Evidence) -> Changes | None:
    """A smaller batch and more accumulation: samples per optimizer step stay the same for an even batch.

    It is halved as often as it takes for what was asked for to fit into what was free, where the text tells both.
    """
    size = _whole(evidence.value("batch_size")) or evidence.batch_size
    if size is None or size < 2:
        return None if size is None else {}
    accumulated = _whole(evidence.value("accumulate_grad_batches")) or 1
    smaller = size // 2
    while smaller > 1 and smaller / size > _share_that_fits(evidence):
        smaller //= 2
    return {"batch_size": smaller, "accumulate_grad_batches": max(1, round(accumulated * size / smaller))}


_TRIED = re.compile(r"(?:tried to allocate|try(?:ing)? to allocate|you tried to allocate)\s+" + _SIZE, re.IGNORECASE)
_UNALLOCATED = re.compile(_SIZE + r"\s+is\s+reserved by PyTorch but unallocated", re.IGNORECASE)
_FREE = re.compile(_SIZE + r"\s+(?:is\s+)?free\b", re.IGNORECASE)


def _share_that_fits(evidence: Evidence) -> float:
    """Which share of what was asked for there was room for: 1 where that is not told."""
    asked, free = _bytes_of(_TRIED.search(evidence.told)), _bytes_of(_FREE.search(evidence.told))
    if free is None and asked is not None and "cuda" not in evidence.told.lower() and evidence.host is not None:
        used, total = evidence.host.memory_used, evidence.host.memory_total
        free = total - used if used is not None and total else None
    return free / asked if asked and free else 1.0


def _bytes_of(match: re.Match[str] | None) -> float | None:
    return None if match is None else float(match[1]) * _UNITS[match[2].lower()[:1]]


def lower_precision(evidence: Evidence) -> Changes | None:
    """Mixed precision: bfloat16 where the GPUs have it, else float16; nothing where it is mixed already."""
    if str(evidence.value("precision") or "32-true") not in ("32-true", "32", "64-true", "64"):
        return {}
    known = [_capability(gpu.compute_capability) for gpu in evidence.gpus if gpu.compute_capability]
    return {"precision": "16-mixed" if known and min(known) < FIRST_WITH_BF16 else "bf16-mixed"}


def shard_the_model(evidence: Evidence) -> Changes | None:
    """FSDP, where there are several devices and nothing is sharded yet."""
    strategy = str(evidence.value("strategy") or "auto").lower()
    sharded = ("fsdp", "deepspeed", "model_parallel", "modelparallel")
    if any(name in strategy for name in sharded):
        return {}
    return {"strategy": "fsdp"} if (evidence.world_size or 1) > 1 else None


def fewer_workers(evidence: Evidence) -> Changes | None:
    """Half the workers; none of them from one on."""
    workers = _whole(evidence.value("num_workers"))
    return None if workers is None else {"num_workers": workers // 2} if workers else {}


def without_workers(evidence: Evidence) -> Changes | None:
    """Load in the main process: the failure itself shows that there are workers, also before a loader was recorded."""
    return {} if _whole(evidence.value("num_workers")) == 0 else {"num_workers": 0}


def workers_without_files(evidence: Evidence) -> Changes | None:
    """No workers, and tensors through files, where the text tells of tensors or processes that are passed on."""
    told = evidence.told.lower()
    is_of_workers = any(word in told for word in ("ancdata", "dataloader", "multiprocessing", "popen_fork"))
    return without_workers(evidence) if is_of_workers or evidence.value("num_workers") else None


def without_the_last_batch(evidence: Evidence) -> Changes | None:
    """All batches of an epoch but its last, which may be a short one."""
    count = evidence.batches
    return {"limit_train_batches": count - 1} if count is not None and count > 1 else {}


def fewer_again(evidence: Evidence) -> Changes | None:
    """Half the workers, where some would be left."""
    workers = _whole(evidence.value("num_workers")) or 0
    return {"num_workers": workers // 2} if workers > 1 else {}


def share_by_files(evidence: Evidence) -> Changes | None:
    """Tensors of workers through files, where there are workers and it is not so already."""
    asked, workers = evidence.value("sharing_strategy"), _whole(evidence.value("num_workers"))
    return {} if asked == "file_system" or workers == 0 else {"sharing_strategy": "file_system"}


def no_spawn(evidence: Evidence) -> Changes | None:
    """Start the ranks anew instead of pickling the program into them, where they are spawned."""
    is_spawned = "spawn" in str(evidence.value("strategy") or "") or "launchers/multiprocessing" in evidence.told
    return {"strategy": "ddp"} if is_spawned or not evidence.of_run else {}


def free_port(evidence: Evidence) -> Changes | None:
    """Another port for the ranks to meet at, chosen at the start."""
    return with_variables(evidence, MASTER_PORT="free")


def expandable_segments(evidence: Evidence) -> Changes | None:
    """Memory in segments that grow, so that what is free need not lie in one piece."""
    asked, unused = _bytes_of(_TRIED.search(evidence.told)), _bytes_of(_UNALLOCATED.search(evidence.told))
    is_torn_up = asked is not None and unused is not None and unused >= asked
    return with_variables(evidence, PYTORCH_ALLOC_CONF="expandable_segments:True") if is_torn_up else None


def no_peer_to_peer(evidence: Evidence) -> Changes | None:
    """NCCL without direct access between GPUs."""
    return with_variables(evidence, NCCL_P2P_DISABLE="1")


def own_interface(evidence: Evidence) -> Changes | None:
    """All ranks of one machine meet on its own interface."""
    return with_variables(evidence, GLOO_SOCKET_IFNAME="lo", NCCL_SOCKET_IFNAME="lo")


def uncompiled(evidence: Evidence) -> Changes | None:
    """Run without torch.compile, wherever it is called."""
    return with_variables(evidence, TORCHDYNAMO_DISABLE="1")


def tracker_offline(evidence: Evidence) -> Changes | None:
    """Let Weights & Biases write to the disk alone."""
    is_wandb = "wandb" in evidence.told.lower() or not evidence.of_run
    return with_variables(evidence, WANDB_MODE="offline") if is_wandb else None


def with_variables(evidence: Evidence, **variables: str) -> Changes | None:
    """The plan's environment with these in it; nothing where they are set already."""
    kept = [str(each) for each in evidence.plan.get("env") or ()]
    new = [f"{name}={value}" for name, value in variables.items()]
    if set(new) <= set(kept):
        return {}
    return {"env": [*(each for each in kept if each.partition("=")[0] not in variables), *new]}


def nearest_metric(evidence: Evidence) -> Changes | None:
    """The logged metric whose name is nearest to the one that checkpoints are chosen by."""
    wanted = evidence.value("checkpoint_monitor") or _quoted(_MONITOR, evidence.told)
    near = nearest(wanted, evidence.logged)
    if near is None:
        return {}
    mode = evidence.value("checkpoint_mode")
    return {"checkpoint_monitor": near, **({"checkpoint_mode": mode} if mode in ("min", "max") else {})}


def stops_by_nearest(evidence: Evidence) -> Changes | None:
    """The logged metric whose name is nearest to the one that EarlyStopping watches."""
    wanted = evidence.plan.get("early_stopping_monitor") or _quoted(_CONDITIONED, evidence.told)
    near = nearest(wanted, evidence.logged)
    return {} if near is None else {"early_stopping_monitor": near}


def take_back(evidence: Evidence) -> Changes | None:
    """A setting of the Trainer that the library's own words refuse here."""
    told = evidence.told.lower()
    return next((dict(changes) for words, changes in _REFUSED if words in told), {})


def another_folder(evidence: Evidence) -> Changes | None:
    """A folder below the run's own, where the Trainer cannot write to the one that it was given."""
    told = evidence.told.replace("\\", "/")
    places = (("model_checkpoint.py", "checkpoint_dir"), ("pytorch/loggers/", "default_root_dir"))
    found = next((field for where, field in places if where in told), None)
    return {} if found is None else {found: "lightning-tui-output"}


def nearest_flag(evidence: Evidence) -> Changes | None:
    """The valid word that is nearest to one that Lightning does not know: no Trainer was there to be asked."""
    wrong = {name: _quoted(pattern, evidence.told) for name, (pattern, _) in _FLAGS.items()}
    near = {name: nearest(word, _FLAGS[name][1]) for name, word in wrong.items()}
    return {name: word for name, word in near.items() if word is not None}


def within_the_epoch(evidence: Evidence) -> Changes | None:
    """Validate once an epoch, where an epoch has fewer batches than lie between two validations."""
    return {"val_check_interval": 1.0} if "val_check_interval" in evidence.told else {}


def leave_to_manual(evidence: Evidence) -> Changes | None:
    """Neither clipping nor accumulation by the Trainer: a module that steps its optimizers does both itself."""
    is_refused = "manual optimization" in evidence.told.lower()
    return {"gradient_clip_val": 0, "accumulate_grad_batches": 1} if is_refused else None


def one_machine(evidence: Evidence) -> Changes | None:
    """One node, where more are waited for."""
    return {"num_nodes": 1} if (_whole(evidence.value("num_nodes")) or 1) > 1 else {}


def trust_the_file(evidence: Evidence) -> Changes | None:
    """Read whole files, code included."""
    return {} if evidence.plan.get("weights_only") is False else {"weights_only": False}


def nearest(word: str | None, known: Iterable[str]) -> str | None:
    """The known word that is most alike, by its letters or its parts; `None` where none is alike."""
    if not word:
        return None
    by_plain = {re.sub(r"[^a-z0-9]+", "_", each.lower()): each for each in known}
    plain = re.sub(r"[^a-z0-9]+", "_", word.lower())
    close = difflib.get_close_matches(plain, by_plain, n=1, cutoff=0.6)
    return by_plain[close[0]] if close else None


def _quoted(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.search(text)
    return None if match is None else match[1]


def no_workers(evidence: Evidence) -> Changes | None:
    """Load in the main process, unless a run is known to do so, or to have failed before it had a loader."""
    workers = _whole(evidence.value("num_workers"))
    if workers is None:
        return None if evidence.of_run else {"num_workers": 0}
    return {"num_workers": 0} if workers else {}


def resume(evidence: Evidence) -> Changes | None:
    """Go on from the newest checkpoint, where a run has left one that is whole."""
    is_there = evidence.has_checkpoint or evidence.has_neighbour or not evidence.of_run
    return {"ckpt_path": "last"} if is_there else {}


def begin_anew(evidence: Evidence) -> Changes | None:
    """Without the checkpoint that the plan, or the script, names."""
    planned = evidence.plan.get("ckpt_path")
    if planned == "none":
        return {}
    if evidence.script.get("ckpt_path") is not None or (planned is None and "in fit" in evidence.told):
        return {"ckpt_path": "none"}
    return {"ckpt_path": None} if planned is not None else None


def full_precision(evidence: Evidence) -> Changes | None:
    """float32, where a run computes in something else."""
    precision = evidence.value("precision")
    if precision is None and evidence.of_run:
        return None
    return {} if str(precision) in ("32-true", "32") else {"precision": "32-true"}


def all_batches(evidence: Evidence) -> Changes | None:
    """No limit on batches, where there is one."""
    limits = ("limit_train_batches", "limit_val_batches")
    set_here = {name: 1.0 for name in limits if evidence.value(name) not in (None, 1.0)}
    return set_here if set_here or evidence.of_run else dict.fromkeys(limits, 1.0)


def more_workers(evidence: Evidence) -> Changes | None:
    """As many workers as there are CPUs for each rank, at most 8."""
    cpus = evidence.host.cpu_count if evidence.host else None
    if cpus is None:
        return None
    share = min(8, max(1, cpus // max(1, evidence.world_size or 1)))
    return {"num_workers": share} if share > (_whole(evidence.value("num_workers")) or 0) else {}


def existing_devices(evidence: Evidence) -> Changes | None:
    """As many devices as there are GPUs."""
    count = len({gpu.index for gpu in evidence.gpus})
    return {"devices": count} if count else None


def one_checkpoint_every_epoch(evidence: Evidence) -> Changes | None:
    """Keep one checkpoint instead of many, where a run keeps many."""
    kept = evidence.value("checkpoint_save_top_k")
    if kept is None and evidence.of_run:
        return None
    return {} if kept in (0, 1) else {"checkpoint_save_top_k": 1}


def clip_gradients(evidence: Evidence) -> Changes | None:
    """Clip at 1.0, where nothing is clipped."""
    return {} if evidence.value("gradient_clip_val") else {"gradient_clip_val": 1.0}


def wider_than_half(evidence: Evidence) -> Changes | None:
    """bfloat16 has the range of float32: it takes the place of float16."""
    precision = evidence.value("precision")
    if str(precision) not in ("16-mixed", "16-true", "16", "transformer-engine-float16"):
        return None if precision is None else {}
    known = [_capability(gpu.compute_capability) for gpu in evidence.gpus if gpu.compute_capability]
    return {"precision": "bf16-mixed" if not known or min(known) >= FIRST_WITH_BF16 else "32-true"}


def half_that_runs_here(evidence: Evidence) -> Changes | None:
    """float16 mixed on GPUs, float32 on a CPU."""
    on_cpu = str(evidence.value("accelerator")) == "cpu" or not evidence.gpus
    return {"precision": "32-true" if on_cpu else "16-mixed"}


COMPUTED: Mapping[str, Callable[[Evidence], Changes | None]] = MappingProxyType(
    {
        function.__name__: function
        for function in (
            halve_the_batch,
            lower_precision,
            shard_the_model,
            fewer_workers,
            no_workers,
            without_workers,
            workers_without_files,
            without_the_last_batch,
            fewer_again,
            share_by_files,
            no_spawn,
            free_port,
            expandable_segments,
            no_peer_to_peer,
            own_interface,
            uncompiled,
            tracker_offline,
            nearest_metric,
            stops_by_nearest,
            take_back,
            another_folder,
            nearest_flag,
            within_the_epoch,
            leave_to_manual,
            one_machine,
            trust_the_file,
            resume,
            begin_anew,
            full_precision,
            all_batches,
            more_workers,
            existing_devices,
            one_checkpoint_every_epoch,
            clip_gradients,
            wider_than_half,
            half_that_runs_here,
        )
    }
)
"""By the names that rules use."""


def _whole(value: Any) -> int | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return int(value) if is_number and value == int(value) else None


def _capability(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    return (int(major), int(minor or 0)) if major.isdigit() and (minor or "0").isdigit() else FIRST_WITH_BF16
