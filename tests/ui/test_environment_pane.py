"""What the Environment pane tells: in a line, in a narrow column, and whole, with what is wrong and what to do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lightning_tui.environment import Environment, Finding
from lightning_tui.environment.model import VisibleDevice
from lightning_tui.gpus import GpuSample
from lightning_tui.plan.model import Plan
from lightning_tui.services.machine import Hardware
from lightning_tui.ui.cockpit.environment import detail_rows, overview_rows, summary_row
from lightning_tui.ui.view import View
from tests.ui import machines, scenes
from tests.ui.machines import replace_struct
from tests.ui.support import text_grid, text_of

WRONG = Finding("small-shm", "warning", "Shared memory is only 64 MiB", "It fills up.", "Start with --shm-size=8g.")
NOTE = Finding("no-colours", "info", "TERM is not set", "No colours.", "export TERM=xterm-256color.")


def view_of(environment: Environment | None) -> View:
    hardware = Hardware(environment.gpus if environment else (), None, machines.idle_host())
    view = View(now=machines.NOW, plan=Plan(), environment=environment, hardware=hardware)
    return replace(view, software=machines.cpu_software(), runs_home="/keep/lightning-tui", runs_home_reason="--home")


def texts(view: View, width: int = 76) -> list[str]:
    rows = [text_of(row).rstrip() for row in detail_rows(view, width)]
    assert all(len(row) <= width for row in rows)
    return rows


def test_what_is_wrong_comes_before_the_facts_and_what_is_good_to_know_after_them() -> None:
    rows = texts(view_of(replace_struct(machines.local_machine(), findings=(WRONG, NOTE))))
    places = [
        rows.index(text)
        for text in ("▲ Shared memory is only 64 MiB", "  Start with --shm-size=8g.", "· TERM is not set")
    ]
    facts = [place for place, row in enumerate(rows) if row.startswith("Platform ")]
    assert places[0] < places[1] < facts[0] < places[2]


def test_a_sound_machine_says_so_and_then_tells_what_doctor_tells() -> None:
    rows = texts(view_of(machines.local_machine()))
    assert rows[0] == "✔ no problems found"
    assert "Host         lab-7 · Debian 12" in rows
    assert "Runs         /home/ada/work · 412 GiB free of 900 GiB · local (ext4)" in rows
    assert "             why: --home" in rows


def test_before_the_machine_was_looked_at_places_wait() -> None:
    rows = [text_of(row).rstrip() for row in detail_rows(view_of(None), 76)]
    assert rows[0] == "Platform   …"
    assert text_of(summary_row(view_of(None), 76)) == "inspecting the machine …"


def test_the_overview_says_how_many_gpus_are_seen_and_that_storage_is_kept() -> None:
    machine = machines.studio()
    place = replace_struct(machine.storage.runs_home, path="/keep/lightning-tui")
    storage = replace_struct(machine.storage, runs_home=place, persistent=replace_struct(place, path="/keep"))
    visible = (VisibleDevice("0", gpu=0), VisibleDevice("9", is_seen=False, note="only 4 GPUs here"))
    view = view_of(replace_struct(machine, storage=storage, visible=visible))
    rows = [text_of(row).rstrip() for row in overview_rows(view, 42, 9)]
    assert "GPUs       4 × L40S 45.0 GiB · 1 seen" in rows
    assert "Storage    412 GiB free · persistent" in rows
    assert text_of(summary_row(view, 76)).startswith("Lightning Studio · 4 × L40S 45.0 GiB · 1 seen · ▲ ")


def gpus_row(view: View) -> str:
    return text_of(overview_rows(view, 60, 9)[2]).removeprefix("GPUs").strip()


def test_gpus_of_all_nodes_are_counted_and_slices_are_not(tmp_path: Path) -> None:
    of_run = View(now=machines.NOW, plan=Plan(), environment=machines.studio(), run=scenes.cluster(tmp_path, 4))
    assert gpus_row(of_run) == "32 × H100 80GB HBM3 · 4 nodes"
    gpu = machines.l40s(0, 1, 1, 1, 1)
    small = replace_struct(gpu, index=1, memory_total=1 << 30)
    assert gpus_row(view_of(replace_struct(machines.studio(), gpus=(gpu, replace_struct(gpu, mig=0))))) == (
        "1 × L40S 45.0 GiB"
    )
    assert gpus_row(view_of(replace_struct(machines.studio(), gpus=(gpu, small)))) == "2 × L40S", "they differ in size"


def test_gpus_that_tell_nothing_are_not_none() -> None:
    machine = replace_struct(machines.studio(), gpus=())
    assert gpus_row(view_of(replace_struct(machine, host=replace_struct(machine.host, gpu_devices=())))) == "none"
    silent = replace_struct(machine, host=replace_struct(machine.host, gpu_devices=("/dev/nvidia0",)))
    assert gpus_row(view_of(silent)) == "no readings"
    lost = GpuSample(index=1, error="GPU is lost")
    machine = replace_struct(machine, gpus=(machines.l40s(0, 1, 1, 1, 1), lost), visible=None)
    assert gpus_row(view_of(machine)) == "1 × L40S 45.0 GiB · 1 lost"


def test_the_overview_lists_what_is_wrong_and_counts_what_is_good_to_know() -> None:
    def last_row(*findings: Finding) -> str:
        rows = overview_rows(view_of(replace_struct(machines.local_machine(), findings=findings)), 42, 9)
        return " ".join(text_of(rows[-1]).split())

    assert last_row() == "✔ no problems found"
    assert last_row(NOTE) == "✔ no problems found 1 note"
    assert last_row(WRONG, NOTE) == "▲ Shared memory is only 64 MiB"
    assert last_row(WRONG, WRONG, NOTE) == "▲ Shared memory is only 64 MiB +1"


async def test_enter_opens_what_is_wrong_with_its_remedy_on_a_small_screen(tmp_path: Path) -> None:
    app = scenes.cockpit(tmp_path, scenes.training(tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await scenes.settle(app, pilot)
        assert "--shm-size=8g" not in text_grid(app)
        await pilot.press("1", "enter")
        await pilot.pause()
        assert "▲ Shared memory is only 64 MiB" in text_grid(app)
        assert "--shm-size=8g" in text_grid(app)
        await pilot.press("escape")
        await pilot.pause()
        assert "--shm-size=8g" not in text_grid(app)
