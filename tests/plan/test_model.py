"""A plan's fields: what may stand in them, as people type it and as files say it, and how the rest is refused."""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_tui.plan import FIELDS, PRECISIONS, Plan, PlanError, plan_from_mapping

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
]


@pytest.mark.parametrize(("name", "text", "value"), TYPED)
def test_what_a_person_types(name: str, text: str, value: Any) -> None:
    plan = Plan().with_field(name, text)
    assert plan.changes() == {name.replace("-", "_"): value}
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
