"""Every field of a plan, in effect in real programs: as their own live objects have it, and as our event says it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lightning_tui.plan.model import FIELDS, plan_from_mapping
from lightning_tui.record.events import FitEnd, TelemetryTrouble, TrainerSeen
from lightning_tui.runner.lightning_tui_runner.telemetry.trainer_facts import ALL_FIELDS

from .running import PROGRAMS, Outcome, run_in_run


def test_the_runner_knows_every_field_of_a_plan() -> None:
    assert sorted(ALL_FIELDS) == sorted(FIELDS)


class Seen:
    """What a program wrote down about itself, and what we say of it."""

    def __init__(self, place: Path, outcome: Outcome, ranks: int) -> None:
        self.outcome = outcome
        self.ranks: list[dict[str, Any]] = [
            json.loads((place / f"out-{rank}.json").read_text()) for rank in range(ranks)
        ]
        self.fields = outcome.of(TrainerSeen)[-1].fields

    def __getitem__(self, name: str) -> Any:
        return self.ranks[0][name]

    def check_actual(self, plan: dict[str, Any], *, but: tuple[str, ...] = ()) -> None:
        """Our event must say of each field that it was asked for and is in effect."""
        for name, value in plan.items():
            assert self.fields[name].requested == value, name
            if name not in but:
                assert self.fields[name].actual == value, name


def look(place: Path, words: list[str], plan: dict[str, Any], *, ranks: int = 1, code: int = 0) -> Seen:
    """Run a program under a plan that a person could have given."""
    plan = plan_from_mapping(plan).changes()
    place.mkdir(exist_ok=True)
    outcome = run_in_run(place, [str(PROGRAMS / words[0]), str(place / "out"), *words[1:]], plan)
    assert outcome.code == code, outcome.errors
    for rank in range(ranks):
        assert not outcome.of(TelemetryTrouble, rank)
    return Seen(place, outcome, ranks)


FITTING = {
    "gradient_clip_val": 100.0,
    "gradient_clip_algorithm": "value",
    "check_val_every_n_epoch": 2,
    "num_sanity_val_steps": 1,
    "min_epochs": 1,
    "min_steps": 3,
    "deterministic": "warn",
    "benchmark": True,
    "detect_anomaly": True,
    "enable_checkpointing": True,
}
SAVING = {
    "checkpoint_monitor": "train_loss",
    "checkpoint_save_top_k": 2,
    "checkpoint_every_n_steps": 3,
}
LOADING = {"num_workers": 2, "prefetch_factor": 4, "pin_memory": True}


@pytest.mark.e2e
def test_fields_in_effect_in_one_process(tmp_path: Path) -> None:
    bare = look(tmp_path / "bare", ["planned.py"], {})
    assert bare["loader"]["num_workers"] == 0
    plan = {
        **FITTING,
        **SAVING,
        **LOADING,
        "activation_checkpointing": ["Block"],
        "checkpoint_dir": str(tmp_path / "kept"),
    }
    seen = look(tmp_path / "planned", ["planned.py"], plan)
    seen.check_actual(plan)
    check_the_fitting(seen)
    check_the_loader(seen, bare)
    check_the_recomputing(seen, bare)
    check_the_saving(seen, tmp_path / "kept")
    check_what_the_script_had(tmp_path, tmp_path / "kept")


def check_the_fitting(seen: Seen) -> None:
    assert seen["trainer"]["gradient_clip_algorithm"] == "value"
    assert (seen["trainer"]["gradient_clip_val"], seen["trainer"]["num_sanity_val_steps"]) == (100.0, 1)
    assert (seen["check_val_every_n_epoch"], seen["min_epochs"], seen["min_steps"]) == (2, 1, 3)
    assert (seen["deterministic"], seen["warn_only"], seen["benchmark"]) == (True, True, True)
    assert seen["anomaly"] is True


def check_the_loader(seen: Seen, bare: Seen) -> None:
    """New settings, on a loader of the program's own class with all that it holds; and the very same batches."""
    kept = {"class": "OwnLoader", "secret": "OWN", "collate": "stack", "sampler": "RandomSampler", "batch_size": 8}
    assert seen["loader"] == {**LOADING, **kept, "persistent_workers": False}
    assert seen["original_loader"] == [0, 8], "the program's own object stays as it is"
    assert len(seen["batches"]) == 12
    assert seen["batches"] == bare["batches"]
    assert (seen.fields["num_workers"].script, seen.fields["pin_memory"].script) == (0, False)
    assert (
        "pin_memory, prefetch_factor: not in effect for Stream, which is not a torch DataLoader" in seen.outcome.errors
    )


def check_the_recomputing(seen: Seen, bare: Seen) -> None:
    assert seen["block_calls"] == 2 * bare["block_calls"] == 2 * 3 * 12
    assert seen["losses"] == bare["losses"], "the dropout too is the same"
    for name in ("keys", "names", "modules"):
        assert seen[name] == bare[name]
    assert seen["left_behind"] == []


def check_the_saving(seen: Seen, folder: Path) -> None:
    (callback,) = seen["checkpoints"]
    assert (callback["monitor"], callback["save_top_k"], callback["mode"]) == ("train_loss", "2", "min")
    assert (callback["save_last"], callback["_every_n_train_steps"], callback["dirpath"]) == ("True", "3", str(folder))
    assert len([path for path in folder.iterdir() if path.name != "last.ckpt"]) == 2


def check_what_the_script_had(place: Path, folder: Path) -> None:
    """Compiled, resumed from a checkpoint that was saved while recomputing, and saved when the program fails."""
    plan = {
        "compile": "default",
        "activation_checkpointing": ["planned.Block", "__main__.Block"],
        "ckpt_path": str(folder / "last.ckpt"),
        "checkpoint_on_exception": True,
        "checkpoint_mode": "max",
        "checkpoint_save_last": False,
        "checkpoint_dir": str(place / "mine"),
        "batch_size": 4,
        "deterministic": True,
        "num_workers": 1,
        "persistent_workers": True,
    }
    words = ["planned.py", "--own-checkpoint", "--fails-at", "15", "--epochs", "4"]
    seen = look(place / "failed", words, plan, code=1)
    seen.check_actual(plan, but=("activation_checkpointing",))
    assert (seen["loader"]["num_workers"], seen["loader"]["persistent_workers"]) == (1, True)
    assert seen.fields["activation_checkpointing"].actual == ["Block"]
    (callback,) = seen["checkpoints"]
    expected = {"mode": "max", "save_on_exception": "True", "save_last": "False", "dirpath": str(place / "mine")}
    untouched = {"monitor": "val_loss", "save_top_k": "2", "filename": "mine-{step}", "_every_n_epochs": "1"}
    assert callback.items() >= {**expected, **untouched}.items()
    assert seen.fields["checkpoint_mode"].script == "min"
    assert [path.name for path in (place / "mine").iterdir()] == ["mine-step=15.ckpt"]
    assert [len(batch) for batch in seen["batches"]] == [1 + 4] * 3
    assert [batch[0] for batch in seen["batches"]] == [1, 1, 1], "it went on in the second epoch, after step 12"
    assert seen["is_compiled"] == [True] * 4
    assert seen["graphs"] > 0
    assert seen["block_calls"] == 0, "only compiled code has run"
    assert seen["left_behind"] == []
    assert "RuntimeError: on purpose" in seen.outcome.errors


@pytest.mark.e2e
def test_fields_in_effect_on_two_ranks(tmp_path: Path) -> None:
    plan: dict[str, Any] = {
        "strategy": "ddp",
        "devices": 2,
        "ddp_gradient_as_bucket_view": True,
        "ddp_bucket_cap_mb": 9,
        "sync_batchnorm": True,
        "batch_size": 3,
        "num_workers": 1,
        "activation_checkpointing": ["Nothing"],
        "fsdp_cpu_offload": True,
        "enable_checkpointing": False,
    }
    seen = look(tmp_path, ["planned.py", "--own-strategy", "--own-checkpoint"], plan, ranks=2)
    seen.check_actual(plan, but=("fsdp_cpu_offload", "activation_checkpointing"))
    kept = seen.fields["ddp_find_unused_parameters"]
    assert (kept.requested, kept.script, kept.actual) == (None, True, True)
    assert (seen.fields["ddp_bucket_cap_mb"].script, seen.fields["strategy"].script) == (7, "DDPStrategy")
    for rank in seen.ranks:
        assert rank["ddp"] == {
            "find_unused_parameters": True,  # the script's own, not lost
            "static_graph": False,
            "gradient_as_bucket_view": True,
            "bucket_bytes_cap": 9 * 2**20,
        }
        assert (rank["loader"]["sampler"], rank["loader"]["num_workers"]) == ("DistributedSampler", 1)
        assert [len(batch) for batch in rank["batches"]] == [1 + 3] * 16
        assert rank["layer_sync"] == "TorchSyncBatchNorm"
        assert rank["checkpoints"] == []
    first, second = ({index for batch in rank["batches"][:8] for index in batch[1:]} for rank in seen.ranks)
    assert not first & second, "each rank has its own part of the data"
    errors = seen.outcome.errors
    assert "fsdp_cpu_offload: not in effect, since the strategy is DDPStrategy" in errors
    assert "the model has no module of Nothing; it has Block, Linear, Dropout" in errors.replace(
        "Linear, Block", "Block, Linear"
    )


@pytest.mark.e2e
def test_a_model_that_shards_itself_trains_on_two_ranks(tmp_path: Path) -> None:
    plan = {
        "strategy": "model_parallel",
        "devices": 2,
        "data_parallel_size": 2,
        "tensor_parallel_size": 1,
        "activation_checkpointing": ["Block"],
    }
    seen = look(tmp_path, ["sharded.py"], plan, ranks=2)
    seen.check_actual(plan)
    for rank in seen.ranks:
        assert rank["mesh"] == {"data_parallel": 2, "tensor_parallel": 1}
        assert rank["sharded"]
        assert rank["local"] * 2 == rank["whole"]
        assert rank["losses"][-1] < 4
        assert rank["block_calls"] == 2 * 2 * 4, "each block forward, and once more in the backward pass"
    assert seen.outcome.of(FitEnd)[-1].finished


@pytest.mark.e2e
def test_what_is_found_at_the_start_of_the_fit(tmp_path: Path) -> None:
    plan = {"auto_scale_batch_size": "power", "auto_lr_find": True, "batch_size": 2}
    seen = look(tmp_path, ["tuned.py"], plan)
    told = [event.fields for event in seen.outcome.of(TrainerSeen)]
    first = next(fields for fields in told if fields["batch_size"].actual is not None)
    assert (first["auto_scale_batch_size"].actual, first["auto_lr_find"].actual) == ("power", True)
    assert first["batch_size"].actual == seen["batch_size"] == seen["tunable"]["size"] == 256
    assert 0 < seen["tunable"]["rate"] != 0.125
    assert seen["tunable"]["epochs"] == seen["fixed"]["epochs"] == 40
    # A program that says neither in an attribute goes on as it is, and is told why.
    assert (seen["fixed"]["size"], seen["fixed"]["rate"]) == (2, 0.125)
    assert (seen.fields["auto_scale_batch_size"].actual, seen.fields["auto_lr_find"].actual) == (None, False)
    for words in (
        "auto_scale_batch_size: the batch size is now 256",
        "auto_lr_find: the learning rate is now",
        "batch_size: left to auto_scale_batch_size",
        "auto_scale_batch_size: not in effect: The Batch size finder cannot be used with dataloaders passed directly",
        "auto_lr_find: not in effect: When using the learning rate finder",
    ):
        assert f"lightning-tui: {words}" in seen.outcome.errors
