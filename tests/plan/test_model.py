"""A plan's fields: what may stand in them, as people type it and as files say it, and how the rest is refused."""

from __future__ import annotations

import contextlib
import sys
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_tui.plan.model import KINDS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from lightning_tui.plan.model import FIELDS, PRECISIONS, Plan, PlanError, plan_from_mapping

TYPED: list[tuple[str, str, Any]] = [
    ("strategy", "ddp", "ddp"),
    ("strategy", "  ddp ", "ddp"),
    ("precision", "bf16-mixed", "bf16-mixed"),
    ("precision", "16", "16"),
    ("accelerator", "gpu", "gpu"),
    ("devices", "2", 2),
    ("devices", "-1", -1),
    ("devices", "auto", "auto"),
    ("devices", "0,2", [0, 2]),
    ("devices", "[1]", [1]),
    ("devices", "3,", [3]),
    ("num-nodes", "4", 4),
    ("max_epochs", "-1", -1),
    ("max-steps", "30", 30),
    ("max_time", "00:12:00:00", "00:12:00:00"),
    ("gradient_clip_val", "0.5", 0.5),
    ("gradient_clip_val", "1", 1),
    ("val_check_interval", "0.25", 0.25),
    ("val_check_interval", "100", 100),
    ("limit_train_batches", "1.0", 1.0),
    ("limit_val_batches", "0", 0),
    ("ckpt_path", "last", "last"),
    ("default_root_dir", "/data/my runs", "/data/my runs"),
    ("gradient_clip_algorithm", "Norm", "norm"),
    ("check_val_every_n_epoch", "5", 5),
    ("num_sanity_val_steps", "-1", -1),
    ("min_epochs", "0", 0),
    ("deterministic", "warn", "warn"),
    ("deterministic", "Yes", True),
    ("benchmark", "off", False),
    ("ddp_find_unused_parameters", "no", False),
    ("ddp_static_graph", "on", True),
    ("ddp_bucket_cap_mb", "50", 50),
    ("fsdp_sharding_strategy", "full_shard", "FULL_SHARD"),
    ("fsdp_wrap_classes", "Block,MLP", ["Block", "MLP"]),
    ("activation-checkpointing", " ['transformers.models.Layer', \"Block\"] ", ["transformers.models.Layer", "Block"]),
    ("fsdp_wrap_min_params", "1_000_000", 1_000_000),
    ("deepspeed_stage", "3", 3),
    ("deepspeed_nvme_path", "/local nvme", "/local nvme"),
    ("data_parallel_size", "auto", "auto"),
    ("tensor_parallel_size", "4", 4),
    ("compile", "Reduce-Overhead", "reduce-overhead"),
    ("checkpoint_save_top_k", "-1", -1),
    ("checkpoint_monitor", "val/loss", "val/loss"),
    ("checkpoint_mode", "MAX", "max"),
    ("num_workers", "0", 0),
    ("batch_size", "1", 1),
    ("auto_scale_batch_size", "binsearch", "binsearch"),
    ("auto_lr_find", "true", True),
]

REFUSED = [
    ("precision", "fp8", "transformer-engine"),
    ("precision", "16-misplaced", "16-mixed"),
    ("accelerator", "gqu", "gpu"),
    ("devices", "0", "above 0"),
    ("devices", "-2", "above 0"),
    ("devices", "two", "above 0"),
    ("devices", "1,1", "list"),
    ("num_nodes", "0", "1 or more"),
    ("max_epochs", "3.5", "whole"),
    ("max_epochs", "many", "whole"),
    ("max_steps", "-2", "-1 or more"),
    ("max_time", "12h", "DD:HH:MM:SS"),
    ("gradient_clip_val", "-1", "0 or more"),
    ("gradient_clip_val", "nan", "0 or more"),
    ("limit_train_batches", "1.5", "0.0 to 1.0"),
    ("val_check_interval", "-0.1", "0.0 to 1.0"),
    ("strategy", "\x1b[31mddp", "printable"),
    ("gradient_clip_val", "inf", "0 or more"),
    ("gradient_clip_algorithm", "adaptive", "norm, value"),
    ("deterministic", "maybe", "true, false or warn"),
    ("benchmark", "1", "true or false"),
    ("fsdp_sharding_strategy", "ALL", "FULL_SHARD, SHARD_GRAD_OP, HYBRID_SHARD, NO_SHARD"),
    ("fsdp_wrap_classes", "Block, 2nd", "names of module classes"),
    ("fsdp_wrap_classes", ",", "names of module classes"),
    ("deepspeed_stage", "4", "from 0 to 3"),
    ("tensor_parallel_size", "all", "1 or more, or auto"),
    ("compile", "fast", "default, reduce-overhead, max-autotune"),
    ("checkpoint_save_top_k", "-2", "-1 or more"),
    ("num_workers", "2.5", "whole"),
    ("batch_size", "0", "1 or more"),
    ("auto_scale_batch_size", "true", "power, binsearch"),
    ("max_steps", "99999999999999999999", "whole"),
]


@pytest.mark.parametrize(("name", "text", "value"), TYPED)
def test_what_a_person_types(name: str, text: str, value: Any) -> None:
    plan = Plan().with_field(name, text)
    assert plan.changes() == {name.replace("-", "_"): value}
    assert plan_from_mapping(tomllib.loads(plan.to_toml())) == plan
    assert type(plan.changes()[name.replace("-", "_")]) is type(value)
    assert plan_from_mapping(plan.changes()) == plan


@pytest.mark.parametrize(("name", "text", "hint"), REFUSED)
def test_what_is_refused_names_the_value_and_what_is_allowed(name: str, text: str, hint: str) -> None:
    with pytest.raises(PlanError) as caught:
        Plan().with_field(name, text)
    assert str(caught.value).startswith(f"{name}=")
    assert hint in str(caught.value)


def test_an_empty_text_means_as_the_script_says() -> None:
    assert Plan(strategy="ddp", devices=2).with_field("strategy", " ").changes() == {"devices": 2}


def test_an_unset_plan_changes_nothing() -> None:
    assert Plan().changes() == {}
    assert plan_from_mapping({}) == Plan()


@pytest.mark.parametrize(
    ("name", "near"), [("strategie", "strategy"), ("max_epoch", "max_epochs"), ("device", "devices")]
)
def test_an_unknown_field_offers_the_nearest(name: str, near: str) -> None:
    with pytest.raises(PlanError, match=f"Did you mean {near}"):
        plan_from_mapping({name: 1})


def test_an_unknown_field_lists_all() -> None:
    with pytest.raises(PlanError, match=", ".join(FIELDS)):
        Plan().with_field("zzz", "1")


@pytest.mark.parametrize("value", [True, 2.0, [], [0, -1], [0, "1"], {}, "all", b"2"])
def test_devices_of_the_wrong_kind_in_a_mapping(value: Any) -> None:
    with pytest.raises(PlanError, match="devices="):
        plan_from_mapping({"devices": value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("devices", -1.0),
        ("benchmark", 1),
        ("benchmark", "true"),
        ("deterministic", 0),
        ("num_workers", True),
        ("fsdp_wrap_classes", "Block"),
        ("fsdp_wrap_classes", ["Block", 1]),
        ("fsdp_wrap_classes", []),
        ("compile", ["default"]),
        ("strategy", {"ddp": 1}),
    ],
)
def test_a_value_of_the_wrong_kind_in_a_mapping(name: str, value: Any) -> None:
    with pytest.raises(PlanError, match=f"^{name}=.*Allowed:"):
        plan_from_mapping({name: value})


def test_every_field_says_what_may_stand_in_it() -> None:
    assert set(KINDS) == set(FIELDS)
    for name, kind in KINDS.items():
        for text in kind.choices:
            assert Plan().with_field(name, text).changes()
        with pytest.raises(PlanError, match="Allowed:"):
            Plan().with_field(name, "\x00")


@pytest.mark.parametrize("precision", [16, 32, 64, *PRECISIONS])
def test_every_precision_of_lightnings(precision: int | str) -> None:
    assert plan_from_mapping({"precision": precision}).precision == str(precision)


@settings(max_examples=200)
@given(st.sampled_from(FIELDS), st.one_of(st.text(max_size=12), st.integers().map(str), st.floats().map(str)))
def test_whatever_is_typed_is_a_value_or_a_clear_refusal(name: str, text: str) -> None:
    with contextlib.suppress(PlanError):
        plan = Plan().with_field(name, text)
        assert plan_from_mapping(plan.changes()) == plan


@settings(max_examples=200)
@given(
    st.sampled_from(FIELDS),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
        max_leaves=4,
    ),
)
def test_whatever_a_file_says_is_a_value_or_a_clear_refusal(name: str, value: Any) -> None:
    with contextlib.suppress(PlanError):
        plan = plan_from_mapping({name: value})
        assert set(plan.changes()) <= {name}
        assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan
        assert plan_from_mapping(tomllib.loads(plan.to_toml())) == plan


_VALUES = st.one_of(
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.lists(st.sampled_from(["Block", "a.B", "x y", "é"]), max_size=3),
    st.lists(st.integers(0, 9), max_size=3),
    st.sampled_from(["auto", "warn", "min", "power", "default", "NO_SHARD", 'C:\\a "b"', "ünï 漢"]),
)


@settings(max_examples=200)
@given(st.dictionaries(st.sampled_from(FIELDS), _VALUES, min_size=4, max_size=20))
def test_a_plan_is_read_back_from_toml_as_it_was(values: dict[str, Any]) -> None:
    plan = Plan()
    for name, value in values.items():
        with contextlib.suppress(PlanError):
            plan = msgspec.structs.replace(plan, **plan_from_mapping({name: value}).changes())
    text = plan.to_toml()
    assert plan_from_mapping(tomllib.loads(text)) == plan
    assert len(text.splitlines()) == len(plan.changes())
