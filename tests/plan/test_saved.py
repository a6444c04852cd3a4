"""Plans saved under a name: they come back as they were, one project apart from the other, and broken files say why."""

from __future__ import annotations

from pathlib import Path

import pytest

from lightning_tui.plan.model import Plan, PlanError
from lightning_tui.plan.saved import SavedPlans
from lightning_tui.plan.sources import read_plan_file
from lightning_tui.record import RunStore

PLAN = Plan(
    strategy="fsdp", precision="bf16-mixed", devices=[0, 2], fsdp_wrap_classes=["Block"], max_time="00:12:00:00"
)


@pytest.fixture
def saved(tmp_path: Path) -> SavedPlans:
    return SavedPlans(tmp_path / "runs", tmp_path / "my project")


def test_a_saved_plan_comes_back_as_it_was_and_is_an_ordinary_plan_file(saved: SavedPlans) -> None:
    path = saved.save(" big-run ", PLAN)
    assert path.name == "big-run.toml"
    assert saved.load("big-run") == read_plan_file(path) == PLAN
    assert [(found.name, found.plan) for found in saved.all()] == [("big-run", PLAN)]
    saved.save("big-run", Plan(strategy="ddp"))
    assert saved.load("big-run") == Plan(strategy="ddp")
    assert [found.name for found in path.parent.iterdir()] == ["big-run.toml"], "no draft is left"


def test_projects_do_not_see_each_other_s_plans_and_no_plan_looks_like_a_run(saved: SavedPlans, tmp_path: Path) -> None:
    other = SavedPlans(tmp_path / "runs", tmp_path / "elsewhere" / "my project")
    saved.save("a", PLAN)
    assert other.all() == []
    assert RunStore(tmp_path / "runs").directories() == []


def test_names_that_leave_the_folder_or_cannot_be_typed_are_refused(saved: SavedPlans) -> None:
    for name in ("", "../x", "a/b", ".hidden", "-flag", "x" * 41, "a b", "ä"):
        with pytest.raises(PlanError, match="is not a valid name of a plan"):
            saved.save(name, PLAN)
    with pytest.raises(PlanError, match="This plan sets no field"):
        saved.save("empty", Plan())
    assert saved.all() == []


def test_broken_files_and_unknown_fields_are_told_in_a_sentence(saved: SavedPlans) -> None:
    saved.save("good", PLAN)
    for name, text in (("broken", "strategy = "), ("unknown", 'stratgy = "ddp"\n'), ("wrong", "max_epochs = 1.5\n")):
        (saved.folder / f"{name}.toml").write_text(text)
    problems = {found.name: found.problem for found in saved.all()}
    assert problems["good"] == ""
    assert "is not valid TOML" in problems["broken"]
    assert "Did you mean strategy?" in problems["unknown"]
    assert "Allowed: a whole number" in problems["wrong"]
    for name in ("broken", "unknown", "wrong"):
        with pytest.raises(PlanError, match=name):
            saved.load(name)
    with pytest.raises(PlanError, match="good"):
        saved.load("missing")


def test_what_is_deleted_is_gone_and_deleting_again_does_nothing(saved: SavedPlans) -> None:
    saved.save("a", PLAN)
    saved.delete("a")
    saved.delete("a")
    assert saved.all() == []


def test_a_home_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """Below /proc not even root can make a folder."""
    with pytest.raises(PlanError, match="cannot be saved"):
        SavedPlans(Path("/proc"), tmp_path).save("a", PLAN)


def test_a_file_where_the_folder_should_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    saved = SavedPlans(tmp_path / "runs", tmp_path)
    with pytest.raises(PlanError, match="cannot be saved"):
        saved.save("a", PLAN)
    with pytest.raises(PlanError, match="cannot be read"):
        saved.all()
