"""Which fields of a plan had no effect?"""

from typing import Any

import msgspec
import pytest

from lightning_tui.record.effect import plan_without_effect, without_effect_sentence


class Field(msgspec.Struct):
    actual: Any


class Trainer(msgspec.Struct):
    fields: dict[str, Field]


class Record(msgspec.Struct):
    plan: dict[str, Any]


class Run(msgspec.Struct):
    record: Record
    trainer: Trainer | None = None
    is_over: bool = True


PLAN = {"max_steps": 5, "env": ["A=1"]}


@pytest.mark.parametrize(
    ("run", "names"),
    [
        (Run(Record(PLAN)), ("max_steps",)),
        (Run(Record(PLAN), is_over=False), ()),
        (Run(Record(PLAN), Trainer({"max_steps": Field(1)})), ("max_steps",)),
        (Run(Record(PLAN), Trainer({"max_steps": Field(5)})), ()),
        (Run(Record(PLAN), Trainer({"max_steps": Field(None)})), ()),
    ],
)
def test_what_no_trainer_took_and_what_it_has_otherwise(run: Any, names: tuple[str, ...]) -> None:
    assert plan_without_effect(run) == names
    assert (without_effect_sentence(run) is None) == (not names)
