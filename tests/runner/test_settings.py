"""Data loaders and checkpoint callbacks under a plan, as real objects: what is changed, what is kept, what is said."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lightning_tui.runner.lightning_tui_runner.plan.data_loading import LoaderSettings, settings_of, with_settings
from lightning_tui.runner.lightning_tui_runner.plan.model_checkpoints import (
    change_checkpoints,
    with_checkpoints,
)
from lightning_tui.runner.lightning_tui_runner.plan.model_checkpoints import (
    settings_of as checkpoint_settings_of,
)

said: list[str] = []


@pytest.fixture(autouse=True)
def parts(imported_parts: Any) -> Any:
    """Lightning's classes, and nothing said yet."""
    said.clear()
    return imported_parts


# --------------------------------------------------------------------------------------------------------- data loading


def loader(parts: Any, **settings: Any) -> Any:
    settings = {"dataset": list(range(12)), "batch_size": 4, **settings}
    return parts.torch.utils.data.DataLoader(**settings)


def changed(loader: Any, **settings: Any) -> Any:
    return with_settings(loader, settings, said.append)


def batches(loader: Any) -> list[list[int]]:
    return [batch.tolist() for batch in loader]


def test_another_batch_size_over_the_same_order(parts: Any) -> None:
    random = parts.torch.Generator().manual_seed(1)
    original = loader(parts, sampler=parts.torch.utils.data.RandomSampler(range(12), generator=random), drop_last=True)
    other = changed(original, batch_size=5)
    assert other is not original
    assert (original.batch_size, other.batch_size) == (4, 5)
    assert other.sampler is original.sampler
    assert other.drop_last
    random.manual_seed(1)
    expected = [number for batch in batches(original) for number in batch]
    random.manual_seed(1)
    assert [number for batch in batches(other) for number in batch] == expected[:10]
    assert len(other) == 2


def test_what_is_asked_for_already_changes_nothing(parts: Any) -> None:
    original = loader(parts)
    assert changed(original, batch_size=4, num_workers=0, pin_memory=False) is original
    assert not said


def test_workers_come_with_what_torch_wants_of_them(parts: Any) -> None:
    other = changed(loader(parts), num_workers=2)
    assert (other.num_workers, other.prefetch_factor, other.persistent_workers) == (2, 2, False)
    back = changed(
        loader(parts, num_workers=2, persistent_workers=True, timeout=5, multiprocessing_context="spawn"), num_workers=0
    )
    assert settings_of(back) == {
        "num_workers": 0,
        "pin_memory": False,
        "persistent_workers": False,
        "prefetch_factor": None,
        "batch_size": 4,
    }
    assert batches(back) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert not said


def test_workers_settings_without_workers_are_said_to_be_idle(parts: Any) -> None:
    original = loader(parts)
    assert changed(original, persistent_workers=True, prefetch_factor=3) is original
    assert said == ["persistent_workers, prefetch_factor: not in effect without num_workers"]


def test_batches_of_the_programs_own_making_are_left(parts: Any) -> None:
    own = [[0, 5], [3]]
    original = loader(parts, batch_size=1, batch_sampler=own)
    assert batches(changed(original, batch_size=8, pin_memory=False)) == own
    assert changed(loader(parts, batch_size=None), batch_size=8).batch_size is None
    assert said == [
        "batch_size: unchanged for a DataLoader with the batch sampler list",
        "batch_size: unchanged for a DataLoader without batches",
    ]


def test_a_stream_gets_no_workers_of_which_each_would_give_it_all(parts: Any) -> None:
    class Numbers(parts.torch.utils.data.IterableDataset):  # type: ignore[misc]
        def __iter__(self) -> Any:
            return iter(range(6))

    other = changed(loader(parts, dataset=Numbers()), num_workers=2, batch_size=3)
    assert batches(other) == [[0, 1, 2], [3, 4, 5]]
    assert said == ["num_workers: unchanged for an IterableDataset, because each worker would load all of the data"]


def test_a_loader_that_cannot_be_copied_is_left_and_that_is_said_once(parts: Any) -> None:
    class Stubborn(parts.torch.utils.data.DataLoader):  # type: ignore[misc]
        def __copy__(self) -> Any:
            raise TypeError("not to be copied")

    class Connector:
        def _prepare_dataloader(self, dataloader: Any, mode: Any = None) -> Any:
            return dataloader

    connector = Connector()
    notes: dict[str, Any] = {}
    LoaderSettings(connector, {"batch_size": 2}, said.append, notes).install()
    stubborn = Stubborn(range(4), batch_size=1)
    training = SimpleNamespace(value="train")
    assert connector._prepare_dataloader(stubborn, mode=training) is stubborn
    assert connector._prepare_dataloader(stubborn, mode=training) is stubborn
    assert said == ["the data loader Stubborn is unchanged: not to be copied"]
    assert notes["batch_size"] == 1


# ---------------------------------------------------------------------------------------------------------- checkpoints


def added(parts: Any, callbacks: list[Any], **plan: Any) -> list[Any]:
    return with_checkpoints(callbacks, plan, "lightning.pytorch", said.append)


def settings(callback: Any) -> dict[str, Any]:
    return {name.removeprefix("checkpoint_"): value for name, value in checkpoint_settings_of(callback).items()}


def test_a_plan_without_a_word_on_checkpoints_adds_none(parts: Any) -> None:
    callbacks = [parts.EarlyStopping("loss")]
    assert added(parts, callbacks, max_epochs=3) == callbacks


def test_one_of_lightnings_own_is_added_with_good_defaults(parts: Any) -> None:
    (callback,) = added(parts, [], checkpoint_monitor="val_loss", checkpoint_on_exception=True)
    assert type(callback) is parts.ModelCheckpoint
    assert settings(callback) == {
        "save_top_k": 3,
        "monitor": "val_loss",
        "mode": "min",
        "save_last": True,
        "on_exception": True,
        "dir": None,
        "every_n_steps": None,
    }


@pytest.mark.parametrize(("asked", "kept"), [(None, 1), (-1, -1), (0, 0), (1, 1), (5, 1)])
def test_without_a_metric_there_is_no_best(parts: Any, asked: int | None, kept: int) -> None:
    plan = {"checkpoint_save_last": False, **({} if asked is None else {"checkpoint_save_top_k": asked})}
    (callback,) = added(parts, [], **plan)
    assert settings(callback)["save_top_k"] == kept
    words = "checkpoint_save_top_k=5: without checkpoint_monitor there is no best one; only the newest is kept"
    assert said == ([words] if asked == 5 else [])


def test_no_checkpoints_at_all(parts: Any) -> None:
    stopping = parts.EarlyStopping("loss")
    plan = {"enable_checkpointing": False, "checkpoint_save_top_k": 3}
    assert added(parts, [parts.ModelCheckpoint(), stopping], **plan) == [stopping]


def test_the_scripts_own_is_changed_field_by_field(parts: Any) -> None:
    own = parts.ModelCheckpoint(monitor="loss", mode="max", save_top_k=4, every_n_epochs=2, filename="mine")
    other = parts.ModelCheckpoint(save_top_k=-1)
    plan = {"checkpoint_every_n_steps": 50, "checkpoint_mode": "min"}
    assert added(parts, [own, other], **plan) == [own, other]
    notes: dict[str, Any] = {}
    trainer = SimpleNamespace(checkpoint_callbacks=[own, other])
    change_checkpoints(trainer, plan, said.append, notes)
    assert (own._every_n_train_steps, own._every_n_epochs) == (50, 0)
    assert (own.monitor, own.mode, own.save_top_k, own.filename) == ("loss", "min", 4, "mine")
    assert own.kth_value == float("inf"), "nothing has been saved yet: any value is better"
    assert (other.save_top_k, other._every_n_train_steps) == (-1, 0)
    assert (notes["checkpoint_mode"], notes["checkpoint_save_top_k"]) == ("max", 4)


def test_the_scripts_own_without_a_metric_takes_no_best_of_many(parts: Any) -> None:
    own = parts.ModelCheckpoint()
    change_checkpoints(SimpleNamespace(checkpoint_callbacks=[own]), {"checkpoint_save_top_k": 3}, said.append, {})
    assert own.save_top_k == 1
    assert len(said) == 1
