"""What the runs screen asks of real run directories: read, named, deleted, pruned, and started again."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from lightning_tui.launch.processes import marked_processes
from lightning_tui.plan.model import Plan
from lightning_tui.record import ProgramRecord, RunDirectory, RunStore, read_snapshot, supervisor_alive
from lightning_tui.refusal import RefusalError
from lightning_tui.services.programs import ProgramChoice
from lightning_tui.settings import Settings
from lightning_tui.ui.runs.lines import UNREADABLE
from lightning_tui.ui.runs.services import Origin, PruneRule, RunServices, real_run_services
from tests.conftest import wait_until
from tests.record.test_store import end

HOUR = 3600.0


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def services(home: Path) -> RunServices:
    return real_run_services(Settings(runs_home=home, runs_home_reason="test"), dict(os.environ))


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
    lines = {line.id: line for line in services.lines()}
    assert set(lines) == {directory.id, "broken-000000"}
    assert (lines[directory.id].state, lines[directory.id].program) == ("finished", "x.py")
    assert lines["broken-000000"].state == UNREADABLE
    assert services.line(directory) == lines[directory.id]
    assert services.details(directory).snapshot.record.id == directory.id
    for ask in (services.line, services.details, services.delete):
        with pytest.raises(RefusalError):
            ask(RunDirectory(home / "gone-000000"))


def test_the_mark_tells_of_every_run_that_comes_or_goes(services: RunServices, home: Path, tmp_path: Path) -> None:
    missing = services.mark()
    directory = over(home, tmp_path)
    there = services.mark()
    assert (there != missing, there == services.mark()) == (True, True)
    services.delete(directory)
    assert services.mark() != there


def test_name_and_note_are_written_and_a_name_that_is_none_is_refused(
    services: RunServices, home: Path, tmp_path: Path
) -> None:
    directory = over(home, tmp_path)
    services.write_words(directory, "baseline", "lr was too high")
    line = services.line(directory)
    assert (line.name, line.note) == ("baseline", "lr was too high")
    with pytest.raises(RefusalError, match="printable"):
        services.write_words(directory, "\x1b[31mred", "")
    assert services.line(directory) == line


def test_pruning_spares_what_is_not_over_and_its_parent(services: RunServices, home: Path, tmp_path: Path) -> None:
    old, parent = over(home, tmp_path, age_s=9 * HOUR), over(home, tmp_path, age_s=8 * HOUR)
    program = ProgramRecord(label="x.py", given=["x.py"], folder="/", interpreter=sys.executable)
    child, _ = RunStore(home).create(program=program, plan={}, now=time.time(), parent=parent.id)
    assert [line.id for line in services.prunable(PruneRule(keep=1))] == [old.id]
    with pytest.raises(RefusalError, match="alive"):
        services.delete(child)
    services.delete(old)
    assert {line.id for line in services.lines()} == {parent.id, child.id}
    with pytest.raises(RefusalError, match="not there any more"):
        services.delete(old)


def test_a_child_keeps_the_plan_and_goes_on_from_the_chosen_checkpoint(
    services: RunServices, home: Path, tmp_path: Path
) -> None:
    directory = over(home, tmp_path, plan={"max_epochs": 3, "ckpt_path": "/a/old.ckpt"}, resumed_from="/a/old.ckpt")
    assert services.plan_of_child(Origin(directory)) == Plan(max_epochs=3)
    assert services.plan_of_child(Origin(directory, "/a/new.ckpt")) == Plan(max_epochs=3, ckpt_path="/a/new.ckpt")


def test_a_child_that_cannot_be_started_is_refused_and_makes_no_run(
    services: RunServices, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "x.py").write_text("print('hello')\n")
    (tmp_path / "torn.ckpt").write_bytes(b"PK\x03\x04 and no end")
    choice = ProgramChoice(("x.py",), tmp_path, Path(sys.executable), True)
    directory = over(home, tmp_path)
    torn = Origin(directory, str(tmp_path / "torn.ckpt"))
    with pytest.raises(RefusalError, match="not whole"):
        services.relaunch(torn, choice, services.plan_of_child(torn))
    with pytest.raises(RefusalError, match=r"gone\.py"):
        services.relaunch(Origin(directory), ProgramChoice(("gone.py",), tmp_path, Path(sys.executable), True), Plan())
    with pytest.raises(RefusalError, match="needs a TPU"):
        services.relaunch(Origin(directory), choice, Plan(strategy="xla"))
    assert [line.id for line in services.lines()] == [directory.id]


def test_a_child_runs_with_what_was_changed(services: RunServices, home: Path, tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("import sys; print('hello', *sys.argv[1:])\n")
    parent = over(home, tmp_path, "x.py", "one", plan={"max_epochs": 3})
    choice = ProgramChoice(("x.py", "two"), tmp_path, Path(sys.executable), True)
    child = services.relaunch(Origin(parent), choice, Plan(max_epochs=4))
    wait_until(lambda: not supervisor_alive(child) and not marked_processes(child), 30, "the end of the child")
    snapshot = read_snapshot(child)
    assert (snapshot.record.parent, snapshot.record.plan) == (parent.id, {"max_epochs": 4})
    assert child.output(0, 0).read_text().endswith("hello two\n")
    assert services.line(child).parent == parent.id
