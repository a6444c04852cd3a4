"""Plans from files, good and broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from lightning_tui.plan.model import Plan, PlanError
from lightning_tui.plan.sources import read_plan_file


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "plan.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_plan_file(tmp_path: Path) -> None:
    text = '# for one node\nstrategy = "ddp"\ndevices = [0, 1]\nmax-epochs = 3\nlimit_val_batches = 0.5\n'
    plan = read_plan_file(write(tmp_path, text))
    assert plan == Plan(strategy="ddp", devices=[0, 1], max_epochs=3, limit_val_batches=0.5)


def test_an_empty_plan_file_changes_nothing(tmp_path: Path) -> None:
    assert read_plan_file(write(tmp_path, "")) == Plan()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("strategy = ", "is not valid TOML"),
        (b"\xff\xfe", "is not valid TOML"),
        ('strategie = "ddp"', "Did you mean strategy"),
        ("max_epochs = 1.5", "max_epochs=1.5"),
        ("max_epochs = 2020-01-01", "max_epochs="),
        ('precision = "fp8"', "Allowed: 32-true"),
        ("[trainer]\nmax_epochs = 1", "'trainer' is not a field of a plan"),
    ],
)
def test_a_broken_plan_file_is_named_with_what_is_wrong(tmp_path: Path, text: str | bytes, words: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(PlanError) as caught:
        read_plan_file(path)
    assert str(path) in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize(("name", "words"), [("nowhere.toml", "No such file"), (".", "Is a directory")])
def test_a_plan_file_that_cannot_be_read(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(PlanError, match=words):
        read_plan_file(tmp_path / name)
