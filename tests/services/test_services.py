"""The real outside of the cockpit: what cannot be done is refused with a sentence, and nothing is left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lightning_tui.plan.model import FIELDS, Plan
from lightning_tui.record import RunDirectory, RunSnapshot, RunStore, UnreadableRun
from lightning_tui.record.directory import ProgramRecord
from lightning_tui.refusal import RefusalError
from lightning_tui.services.cases import PlanCase
from lightning_tui.services.programs import ProgramChoice
from lightning_tui.settings import Settings
from lightning_tui.ui.services import Services, real_services
from tests.ui import machines


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def services(home: Path) -> Services:
    return real_services(Settings(runs_home=home, runs_home_reason="test"), dict(os.environ))


def choice(folder: Path, *given: str) -> ProgramChoice:
    return ProgramChoice(given, folder, Path(sys.executable), True)


def test_a_missing_program_is_refused_and_makes_no_run(services: Services, tmp_path: Path, home: Path) -> None:
    with pytest.raises(RefusalError, match=r"nowhere\.py"):
        services.start(choice(tmp_path, "nowhere.py"), Plan())
    assert list(services.runs()) == []
    assert not home.exists()


def test_a_plan_that_cannot_work_here_is_refused_and_makes_no_run(
    services: Services, tmp_path: Path, home: Path
) -> None:
    (tmp_path / "x.py").write_text("print('hello')\n")
    with pytest.raises(RefusalError, match="needs a TPU"):
        services.start(choice(tmp_path, "x.py"), Plan(strategy="xla"))
    assert not home.exists()


def test_a_run_that_is_no_run_cannot_be_opened_stopped_or_deleted(services: Services, home: Path) -> None:
    directory = RunDirectory(home / "no-such-run")
    for ask in (services.open_run, services.stop, services.kill):
        with pytest.raises(RefusalError):
            ask(directory)
    assert services.all_runs().delete([directory], None).deleted == ()


def test_runs_are_listed_newest_first_and_broken_ones_last(services: Services, home: Path) -> None:
    program = ProgramRecord(label="x.py", given=["x.py"], folder="/", interpreter=sys.executable)
    now = time.time()
    made = [RunStore(home).create(program=program, plan={}, now=now - age)[0].id for age in (300, 100, 200)]
    broken = home / "broken-000000"
    broken.mkdir()
    (broken / "run.json").write_text("{")
    listed = list(services.runs())
    assert [run.record.id for run in listed if isinstance(run, RunSnapshot)] == [made[1], made[2], made[0]]
    assert isinstance(listed[-1], UnreadableRun)
    services.all_runs().delete([RunDirectory(home / made[0])], None)
    assert not (home / made[0]).exists()


def test_fields_with_a_catalog_offer_choices_and_others_are_typed(services: Services) -> None:
    case = PlanCase(Plan(), None, None)
    for field in ("strategy", "precision"):
        choices = services.plans.choices(field, case, False).choices
        assert sum(choice.recommended for choice in choices) == 1
        assert all(choice.reason or choice.available for choice in choices)
    assert [choice.name for choice in services.plans.choices("devices", case, False).choices][:2] == ["auto", "1"]
    assert [choice.name for choice in services.plans.choices("benchmark", case, False).choices] == ["true", "false"]
    assert services.plans.choices("ckpt_path", case, False).choices == []


def test_every_choice_is_a_value_that_the_plan_takes(services: Services) -> None:
    for field in FIELDS:
        for offered in services.plans.choices(field, PlanCase(Plan(), None, None), False).choices:
            assert getattr(Plan().with_field(field, offered.name), field) is not None


def on_this_machine(folder: Path, plan: Plan, *given: str) -> PlanCase:
    """A machine without GPUs, and what this interpreter would have installed."""
    software = machines.replace_struct(machines.cpu_software(), interpreter=sys.executable)
    environment = machines.replace_struct(machines.local_machine(), software=software)
    return PlanCase(plan, choice(folder, *given), environment)


def test_a_plan_is_judged_without_running_anything(services: Services, tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("raise SystemExit('it was run')\n")
    found = services.plans.judge(on_this_machine(tmp_path, Plan(strategy="fsdp"), "x.py"))
    assert "needs a CUDA GPU" in found.problems[0]
    assert found.recommended["precision"] == "32-true"
    assert found.memory is None
    assert services.plans.judge(PlanCase(Plan(), None, None)).problems == ()
    why = services.plans.recommend(on_this_machine(tmp_path, Plan(), "x.py")).reasons
    assert set(why) >= {"strategy", "precision"}
    with pytest.raises(RefusalError, match="not been inspected"):
        services.plans.recommend(PlanCase(Plan(), None, None))


def test_a_program_that_does_not_come_to_its_fit_cannot_be_measured_and_says_why(
    services: Services, tmp_path: Path
) -> None:
    (tmp_path / "x.py").write_text("import numpyy\n")
    with pytest.raises(RefusalError, match="numpyy"):
        services.plans.measure(on_this_machine(tmp_path, Plan(), "x.py"), lambda: False)
    with pytest.raises(RefusalError, match=r"nowhere\.py"):
        services.plans.measure(on_this_machine(tmp_path, Plan(), "nowhere.py"), lambda: False)
    with pytest.raises(RefusalError, match="No program"):
        services.plans.measure(PlanCase(Plan(), None, None), lambda: False)


def test_what_was_measured_is_known_to_all_that_is_asked_afterwards(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.py").write_text("")
    case = on_this_machine(tmp_path, Plan(precision="bf16-mixed"), "x.py")
    with monkeypatch.context() as patch:
        patch.setattr("lightning_tui.services.estimating.probe_program", lambda *asked, **named: machines.gpt_probe())
        found = services.plans.measure(case, lambda: False)
    assert found.memory is not None
    assert found.memory.batch_size == 32
    assert services.plans.judge(case).memory == found.memory
    estimates = services.plans.choices("precision", case, False).estimates
    assert estimates["bf16-mixed"] == found.memory.present
    assert (estimates["32-true"].low or 0) > (estimates["bf16-mixed"].low or 0)


def test_plans_are_saved_beside_the_runs_and_exports_are_written_once(
    services: Services, tmp_path: Path, home: Path
) -> None:
    case = on_this_machine(tmp_path, Plan(strategy="ddp"), "x.py", "--token", "hf_abcdefgh12345")
    path = services.plans.save(case, "mine")
    assert path.is_relative_to(home)
    assert [found.plan for found in services.plans.saved(case)] == [case.plan]
    with pytest.raises(RefusalError, match="is not a valid name of a plan"):
        services.plans.save(case, "../mine")
    services.plans.delete(case, "mine")
    assert services.plans.saved(case) == []
    exports = services.plans.exports(case)
    assert [export.title for export in exports] == ["Command", "Python", "YAML"]
    assert not any("hf_abcdefgh12345" in export.text for export in exports)
    target = tmp_path / "train.sh"
    services.plans.write(target, exports[0].text)
    assert target.read_text() == exports[0].text
    with pytest.raises(RefusalError, match="Choose another name"):
        services.plans.write(target, "x")
    with pytest.raises(RefusalError, match="cannot be written"):
        services.plans.write(tmp_path / "nowhere" / "x", "x")


def test_the_hardware_can_be_looked_at_again_and_again(services: Services) -> None:
    first, second = services.hardware(), services.hardware()
    assert first.host.memory_total == second.host.memory_total
    assert second.gpus or second.gpus_missing


RACE = """
import os, sys, threading
from pathlib import Path
from lightning_tui.settings import Settings
from lightning_tui.ui.services import real_services
services = real_services(Settings(runs_home=Path(sys.argv[1]), runs_home_reason="test"), dict(os.environ))
sys.setswitchinterval(1e-5)
failed = []
def call(ask):
    try:
        ask()
    except BaseException as error:
        failed.append(error)
from lightning_tui.plan.model import Plan
from lightning_tui.services.cases import PlanCase
from lightning_tui.services.programs import ProgramChoice
case = PlanCase(Plan(), ProgramChoice(("demo",), Path("/"), Path(sys.executable), True), None)
plans = services.plans
asks = [lambda: plans.judge(case), lambda: plans.choices("strategy", case, False), lambda: plans.exports(case),
    lambda: plans.saved(case), services.environment, services.hardware, services.last_program,
    lambda: list(services.runs())]
threads = [threading.Thread(target=call, args=(ask,)) for ask in asks]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
sys.exit(repr(failed) if failed else 0)
"""


def test_services_that_are_first_called_at_once_do_not_meet_half_made_modules(home: Path) -> None:
    for _ in range(3):
        ended = subprocess.run([sys.executable, "-c", RACE, str(home)], capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr


def test_the_program_that_ran_last_in_a_folder_is_offered_again(
    services: Services, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    services = real_services(Settings(runs_home=home, runs_home_reason="test"), dict(os.environ))
    assert services.last_program() == ["demo"], "there are no runs yet"
    for age, given, folder in ((30, ["old.py"], tmp_path), (20, ["new.py", "-v"], tmp_path), (10, ["far.py"], "/")):
        program = ProgramRecord(label=given[0], given=given, folder=str(folder), interpreter=sys.executable)
        RunStore(home).create(program=program, plan={}, now=time.time() - age)
    assert services.last_program() == ["new.py", "-v"]
