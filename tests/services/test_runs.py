"""Real run directories as screen and command line ask for them: read, named, deleted, pruned, and started again."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest

from lightning_tui.cli.as_json import comparison_object, run_row
from lightning_tui.launch.processes import marked_processes
from lightning_tui.plan.model import Plan
from lightning_tui.record import RunDirectory, RunStore, UnreadableRun, read_snapshot
from lightning_tui.record.directory import ProgramRecord, supervisor_alive
from lightning_tui.record.summaries import RunSummary
from lightning_tui.refusal import RefusalError
from lightning_tui.services.programs import ProgramChoice
from lightning_tui.services.runs import Origin, PruneRule, directory_of
from lightning_tui.settings import Settings
from lightning_tui.ui.services import RunServices, run_services
from tests.cli.command import lightning_tui
from tests.conftest import wait_until
from tests.record.test_store import create, end
from tests.record.test_summaries import settle, train

HOUR = 3600.0


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def services(home: Path) -> RunServices:
    return run_services(Settings(runs_home=home, runs_home_reason="test"), dict(os.environ))


def over(home: Path, folder: Path, *given: str, age_s: float = HOUR, **told: object) -> RunDirectory:
    """A run that has ended."""
    words = list(given) or ["x.py"]
    program = ProgramRecord(label=words[0], given=words, folder=str(folder), interpreter=sys.executable)
    plan = told.pop("plan", {})
    directory, _ = RunStore(home).create(program=program, plan=plan, now=time.time() - age_s, **told)  # type: ignore[arg-type]
    end(directory)
    return directory


def test_every_run_is_a_line_and_what_cannot_be_read_says_why(
    services: RunServices, home: Path, tmp_path: Path
) -> None:
    directory = over(home, tmp_path)
    (home / "broken-000000").mkdir()
    (home / "broken-000000" / "run.json").write_text("{")
    (home / "link-000000").symlink_to(directory.path)
    listed = {run.id: run for run in services.runs()}
    assert set(listed) == {directory.id, "broken-000000"}
    run, broken = listed[directory.id], listed["broken-000000"]
    assert isinstance(run, RunSummary)
    assert (run.state, run.program) == ("finished", "x.py")
    assert isinstance(broken, UnreadableRun)
    assert "run.json" in broken.problem
    assert services.run(directory) == run
    assert services.details(directory).snapshot.record.id == directory.id
    gone = RunDirectory(home / "gone-000000")
    for ask in (services.run, services.details):
        with pytest.raises(RefusalError):
            ask(gone)
    assert len(services.delete([gone], None).refusals) == 1


def test_the_mark_tells_of_every_run_that_comes_or_goes(services: RunServices, home: Path, tmp_path: Path) -> None:
    missing = services.mark()
    directory = over(home, tmp_path)
    there = services.mark()
    assert (there != missing, there == services.mark()) == (True, True)
    assert services.delete([directory], None).deleted == (directory,)
    assert services.mark() != there


def test_name_and_note_are_written_and_a_name_that_is_none_is_refused(
    services: RunServices, home: Path, tmp_path: Path
) -> None:
    directory = over(home, tmp_path)
    services.write_notes(directory, "baseline", "lr was too high")
    run = services.run(directory)
    assert (run.name, run.note) == ("baseline", "lr was too high")
    with pytest.raises(RefusalError, match="printable"):
        services.write_notes(directory, "\x1b[31mred", "")
    assert services.run(directory) == run


def test_pruning_spares_what_is_not_over_and_its_parent(services: RunServices, home: Path, tmp_path: Path) -> None:
    old, parent = over(home, tmp_path, age_s=9 * HOUR), over(home, tmp_path, age_s=8 * HOUR)
    program = ProgramRecord(label="x.py", given=["x.py"], folder="/", interpreter=sys.executable)
    child, _ = RunStore(home).create(program=program, plan={}, now=time.time(), parent=parent.id)
    assert [run.id for run in services.prunable(PruneRule(keep=1)).doomed] == [old.id]
    assert services.delete([parent], PruneRule(keep=1)).deleted == (), "a live child may need it by now"
    done = services.delete([child, old], None)
    assert (done.deleted, done.freed > 0) == ((old,), True)
    assert "still active" in done.refusals[0]
    assert {run.id for run in services.runs()} == {parent.id, child.id}
    assert "no longer exists" in services.delete([old], None).refusals[0]


def test_a_child_keeps_the_plan_and_goes_on_from_the_chosen_checkpoint(
    services: RunServices, home: Path, tmp_path: Path
) -> None:
    directory = over(home, tmp_path, plan={"max_epochs": 3, "ckpt_path": "/a/old.ckpt"}, resumed_from="/a/old.ckpt")
    assert services.plan_child(Origin(directory)).plan == Plan(max_epochs=3)
    assert services.plan_child(Origin(directory, "/a/new.ckpt")).plan == Plan(max_epochs=3, ckpt_path="/a/new.ckpt")


def test_a_child_that_cannot_be_started_is_refused_and_makes_no_run(
    services: RunServices, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "x.py").write_text("print('hello')\n")
    (tmp_path / "torn.ckpt").write_bytes(b"PK\x03\x04 and no end")
    choice = ProgramChoice(("x.py",), tmp_path, Path(sys.executable), True)
    directory = over(home, tmp_path)
    torn = Origin(directory, str(tmp_path / "torn.ckpt"))
    with pytest.raises(RefusalError, match="incomplete"):
        services.relaunch(torn, choice, services.plan_child(torn).plan)
    with pytest.raises(RefusalError, match=r"gone\.py"):
        services.relaunch(Origin(directory), ProgramChoice(("gone.py",), tmp_path, Path(sys.executable), True), Plan())
    with pytest.raises(RefusalError, match="needs a TPU"):
        services.relaunch(Origin(directory), choice, Plan(strategy="xla"))
    assert [run.id for run in services.runs()] == [directory.id]


def test_a_child_runs_with_what_was_changed(services: RunServices, home: Path, tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("import sys; print('hello', *sys.argv[1:])\n")
    parent = over(home, tmp_path, "x.py", "one", plan={"max_epochs": 3})
    choice = ProgramChoice(("x.py", "two"), tmp_path, Path(sys.executable), True)
    child = services.relaunch(Origin(parent), choice, Plan(max_epochs=4))
    wait_until(lambda: not supervisor_alive(child) and not marked_processes(child), 30, "the end of the child")
    snapshot = read_snapshot(child)
    assert (snapshot.record.parent, snapshot.record.plan) == (parent.id, {"max_epochs": 4})
    assert child.output(0, 0).read_text().endswith("hello two\n")
    assert services.run(child).parent == parent.id


# ----------------------------------------------------------------------------------------------------------- parity


@pytest.fixture
def shared() -> RunServices:
    """What the screen asks of the runs home that the command reads."""
    home = Path(os.environ["LIGHTNING_TUI_HOME"])
    for age_s, losses in ((9.0, [0.5, 0.25]), (8.0, [0.5, 0.125]), (7.0, [0.75])):
        directory = create(RunStore(home), now=time.time() - age_s * HOUR)
        train(directory, losses)
        end(directory)
        settle(directory)
    (home / "broken-000000").mkdir()
    (home / "broken-000000" / "run.json").write_text("{")
    return run_services(Settings(runs_home=home, runs_home_reason="test"), dict(os.environ))


def test_screen_and_command_list_the_same(shared: RunServices) -> None:
    listed = json.loads(lightning_tui("runs", "--json").stdout)
    assert listed == [run_row(run) for run in shared.runs()]
    assert [run["state"] for run in listed] == ["finished", "finished", "finished", None]


def test_screen_and_command_compare_the_same(shared: RunServices) -> None:
    third, second, *_ = shared.runs()
    told = json.loads(lightning_tui("compare", third.id, second.id, "--json").stdout)
    found = shared.compare(directory_of(third), directory_of(second))
    assert told == comparison_object(found.comparison)
    assert [pair["better"] for pair in told["metrics"]] == [1]


def test_screen_and_command_name_prune_and_delete_the_same(shared: RunServices) -> None:
    newest = directory_of(next(shared.runs()))
    assert lightning_tui("name", newest.id, "baseline").returncode == 0
    shared.write_notes(newest, shared.run(newest).name or "", "as in May")
    assert lightning_tui("note", "baseline").stdout == "as in May\n"
    for words, rule in (
        (("--keep", "1"), PruneRule(keep=1)),
        (("--keep-size", "0.001MiB"), PruneRule(keep_size=1048)),
        (("--older-than", "1000d"), PruneRule(older_than_s=1000 * 24 * HOUR)),
    ):
        shown = lightning_tui("prune", *words, "--dry-run")
        assert shown.returncode == 0
        assert [line.split()[0] for line in shown.stdout.splitlines()] == [
            run.id for run in shared.prunable(rule).doomed
        ]
    gone = shared.prunable(PruneRule(keep=1)).doomed
    assert lightning_tui("prune", "--keep", "1", "--yes").returncode == 0
    refused = shared.delete([directory_of(run) for run in gone], None)
    assert (len(gone), refused.deleted, refused.freed) == (2, (), 0)
    assert lightning_tui("rm", newest.id, "broken-000000", "--yes").returncode == 0
    assert list(shared.runs()) == []
