"""The GPUs pane: memory adds up and invents nothing, rows fit, each GPU has a place, only what changed is painted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_tui.gpus import DriverFacts
from lightning_tui.plan.model import Plan
from lightning_tui.record import GpuHistory, GpuProcess, GpuSample, NodeView, RankView, RunSnapshot
from lightning_tui.ui.drawing.gauges import (
    FREE,
    MEANINGS,
    OTHERS,
    OURS,
    PEAK,
    RESERVED,
    gauge,
    level,
    memory_parts,
    spark,
)
from lightning_tui.ui.drawing.rows import width_of
from lightning_tui.ui.gpus.details import chart_rows, detail_rows
from lightning_tui.ui.gpus.gpuset import GpuSet, gpu_set, short_names, summary
from lightning_tui.ui.gpus.grid import layout
from lightning_tui.ui.gpus.host_rows import nodes_rows
from lightning_tui.ui.gpus.pane import GpusPane, readout, wanted_rows
from lightning_tui.ui.gpus.rows import columns_of, gpu_row, grid_cell, header_row
from lightning_tui.ui.gpus.window import GpuWindow
from lightning_tui.ui.view import View
from tests.ui import machines, scenes
from tests.ui.machines import GIB, l40s, replace_struct
from tests.ui.outside import FakeOutside
from tests.ui.support import CheckGrid, text_grid, text_of, until, view_of

HERE = Path("/none")


def rank_on(gpu: GpuSample, allocated: int | None, reserved: int | None, peak: int | None = None) -> RankView:
    return RankView(
        rank=0, host="h", pid=1, state="train", device_uuid=gpu.uuid, allocated=allocated, reserved=reserved,
        peak_allocated=peak,
    )  # fmt: skip


# ----------------------------------------------------------------------------------------------------------- memory

amounts = st.none() | st.integers(0, 100)
processes = st.none() | st.lists(st.builds(GpuProcess, pid=st.just(1), memory=amounts, ours=st.booleans()), max_size=3)


@given(amounts, amounts, st.lists(st.tuples(amounts, amounts, amounts), max_size=3), processes)
def test_memory_by_holder_adds_up_whatever_the_readings_say(
    used: int | None,
    total: int | None,
    told: list[tuple[int | None, int | None, int | None]],
    listed: list[GpuProcess] | None,
) -> None:
    held = tuple(listed) if listed is not None else None
    gpu = GpuSample(index=0, uuid="GPU-0", memory_used=used, memory_total=total, processes=held)
    parts = memory_parts(gpu, [rank_on(gpu, *facts) for facts in told])
    assert min(amount for _, amount in parts.segments) >= 0
    if parts.used is not None:
        assert sum(amount for _, amount in parts.segments) == parts.used
        if parts.total is not None:
            assert parts.free == parts.total - parts.used >= 0
    else:
        assert parts.free is None
        assert parts.others == parts.unknown == 0


def test_each_holder_is_told_where_all_is_known() -> None:
    gpu = machines.in_use(l40s(0, 31.0, 98, 71, 289), 11, others=2.0)
    parts = memory_parts(gpu, [rank_on(gpu, 21 * GIB, 27 * GIB, 24 * GIB)])
    assert (parts.allocated, parts.cached, parts.rest) == (21 * GIB, 6 * GIB, 2 * GIB)
    assert (parts.others, parts.unknown, parts.free, parts.peak) == (2 * GIB, 0, 14 * GIB, 24 * GIB)


def test_what_nobody_accounts_for_is_given_to_nobody() -> None:
    gpu = l40s(0, 31.0, 98, 71, 289)
    for listed in ((), None, (GpuProcess(4711, 31 * GIB),)):  # in a container the driver's numbers are the host's
        parts = memory_parts(replace_struct(gpu, processes=listed), [rank_on(gpu, 20 * GIB, 27 * GIB)])
        assert (parts.rest, parts.others, parts.unknown) == (0, 0, 4 * GIB)


def test_without_telemetry_the_driver_says_what_is_ours() -> None:
    gpu = replace_struct(l40s(0, 10, 5, 40, 60), processes=(GpuProcess(1, 4 * GIB, ours=True), GpuProcess(2, 3 * GIB)))
    parts = memory_parts(gpu, [])
    assert (parts.allocated, parts.cached) == (0, 0)
    assert (parts.rest, parts.others, parts.unknown) == (4 * GIB, 3 * GIB, 3 * GIB)


def test_a_newer_reading_of_torch_never_draws_more_than_the_driver_calls_used() -> None:
    gpu = l40s(0, 10.0, 98, 71, 289)
    parts = memory_parts(gpu, [rank_on(gpu, 9 * GIB, 14 * GIB)])
    assert (parts.allocated, parts.cached, parts.unknown, parts.free) == (9 * GIB, GIB, 0, 35 * GIB)


def test_peaks_of_ranks_that_share_a_gpu_are_not_added() -> None:
    gpu = l40s(0, 30.0, 98, 71, 289)
    one = rank_on(gpu, 5 * GIB, 6 * GIB, 6 * GIB)
    assert memory_parts(gpu, [one]).peak == 6 * GIB
    assert memory_parts(gpu, [one, one]).peak is None


@given(st.lists(st.integers(0, 100), min_size=5, max_size=5), st.integers(1, 60), st.none() | st.integers(0, 120))
def test_a_gauge_is_as_wide_as_asked_whatever_it_shows(amounts: list[int], width: int, peak: int | None) -> None:
    spans = [span for span, _, _ in MEANINGS[:5]]
    assert width_of(gauge(list(zip(spans, amounts, strict=True)), 100, width, peak)) == width


def test_glyphs_of_a_gauge_differ_and_the_peak_stands_behind_what_is_allocated() -> None:
    assert len({span[0] for span, _, _ in MEANINGS}) == len(MEANINGS)
    text = text_of(gauge([(OURS, 30), (RESERVED, 30), (OTHERS, 10)], 100, 10, peak=50))
    assert text == "███▓│▓▒···"
    assert text_of(gauge([(OURS, 30)], 100, 10, peak=30)) == f"███{PEAK[0]}······"
    assert text_of(gauge([(OURS, 100)], 100, 10, peak=100)) == f"█████████{PEAK[0]}"
    assert text_of(gauge([], None, 9)) == "   N/A   "
    assert text_of(gauge([], 10, 3)) == FREE[0] * 3


def test_a_spark_shows_means_and_leaves_gaps() -> None:
    assert spark([0, 100, None, None, 100, 100], 100, 4, each=2) == " ▅ █"
    assert [level(share) for share in (None, -1.0, 0.0, 0.5, 1.0, 7.0)] == ["╌", "▁", "▁", "▅", "█", "█"]


# ------------------------------------------------------------------------------------------------------------- rows

SETS: tuple[Callable[[Path], RunSnapshot], ...] = (
    scenes.training,
    scenes.eight_gpus,
    scenes.sliced,
    scenes.cluster,
)


@pytest.mark.parametrize("make", SETS)
def test_rows_of_a_set_are_exactly_as_wide_as_asked_and_their_columns_stand_still(
    make: Callable[[Path], RunSnapshot],
) -> None:
    run = make(HERE)
    gpus = gpu_set(view_of(run))
    columns = columns_of(gpus, True)
    for width in range(20, 201):
        rows = [gpu_row(gpu, columns, width, run.gpu_history.get(gpu.key)) for gpu in gpus.gpus]
        assert {width_of(row) for row in rows} == {width}
        assert width_of(header_row(columns, width)) <= width
        texts = [text_of(row) for row in rows if "✖ GPU" not in text_of(row) and "N/A" not in text_of(row)]
        assert len({text.find(" GiB") for text in texts}) <= 1


def test_the_rank_stays_in_a_gpu_row_longer_than_heat_and_power() -> None:
    gpus = gpu_set(view_of(scenes.training(HERE)))
    texts = {width: text_of(gpu_row(gpus.gpus[0], columns_of(gpus, True), width)) for width in range(30, 120)}
    assert all("r0" in text for text in texts.values() if "°C" in text or " W" in text)
    assert all(word in texts[74] for word in ("r0", "71 °C", "289/350 W", "98 %", "31.0/45.0 GiB"))


def test_what_a_gpu_does_not_tell_is_not_zero() -> None:
    silent = replace_struct(l40s(0, 1, 1, 1, 1), memory_used=None, utilization=None, temperature=None, power=None)
    gpus = gpu_set(view_of(scenes.training(HERE, ranks=0, gpus=(silent,))))
    text = text_of(gpu_row(gpus.gpus[0], columns_of(gpus, False), 100))
    assert text.count("N/A") >= 4
    assert " 0 " not in text.removeprefix("0 ")


def test_a_lost_gpu_says_why_in_red_and_a_stale_one_how_old_it_is() -> None:
    lost = replace_struct(l40s(0, 1, 1, 1, 1), error="GPU is lost")
    stale = replace_struct(l40s(1, 30, 98, 70, 200), stale_s=12.0)
    gpus = gpu_set(view_of(scenes.training(HERE, gpus=(lost, stale))))
    columns = columns_of(gpus, True)
    row = gpu_row(gpus.gpus[0], columns, 100)
    assert ("GPU is lost", "bad") in row
    old = gpu_row(gpus.gpus[1], columns, 140)
    assert "12 s old" in text_of(old)
    assert {token for text, token in old if text.strip()} <= {"dim", "faint"}
    assert "1 lost" in text_of(summary(gpus, 100))
    assert "1 silent" in text_of(summary(gpus, 100))


def test_a_gpu_whose_driver_is_silent_is_not_called_lost() -> None:
    silent = replace_struct(l40s(0, 30, 98, 70, 200), stale_s=5.0, error="the NVIDIA driver has not answered for 5 s")
    gpus = gpu_set(view_of(scenes.training(HERE, gpus=(silent, replace_struct(silent, index=1, error=None)))))
    assert "2 silent" in text_of(summary(gpus, 100))
    assert "lost" not in text_of(summary(gpus, 100))
    assert [text_of(grid_cell(gpus.gpus[0], width, True)) for width in (8, 4)] == ["silent ✖", "   ✖"]


def test_a_process_that_may_be_the_runs_is_given_to_nobody_while_there_is_one() -> None:
    gpu = replace_struct(l40s(0, 10, 5, 40, 60), processes=(GpuProcess(1, 4 * GIB, ours=None),))
    assert (memory_parts(gpu, []).others, memory_parts(gpu, []).unknown) == (0, 10 * GIB)
    assert memory_parts(gpu, [], has_run=False).others == 4 * GIB


def test_a_gpu_is_counted_once_whatever_its_slices() -> None:
    whole = l40s(0, 1, 1, 1, 1)
    slices = (replace_struct(whole, mig=0), replace_struct(whole, mig=1))
    gpus = gpu_set(view_of(scenes.training(HERE, ranks=0, gpus=(whole, *slices, l40s(1, 1, 1, 1, 1)))))
    assert text_of(summary(gpus, 100)).startswith("2 GPUs · 2 slices · ")


def test_there_is_no_column_for_what_no_gpu_tells() -> None:
    told = columns_of(gpu_set(view_of(scenes.eight_gpus(HERE))), True)
    silent = columns_of(gpu_set(view_of(scenes.training(HERE, ranks=0))), True, has_history=False)
    for word in ("peak", "load, 5 min"):
        assert word in text_of(header_row(told, 196))
        assert word not in text_of(header_row(silent, 196))


def test_a_mig_slice_is_named_by_its_place_and_profile() -> None:
    gpus = gpu_set(view_of(scenes.sliced(HERE)))
    texts = [text_of(gpu_row(gpu, columns_of(gpus, True), 100)) for gpu in gpus.gpus]
    assert [text[:11] for text in texts] == ["0:0 1g.5gb ", "0:1 2g.10gb", "0:2 3g.20gb"]
    assert gpus.gpus[1].memory.allocated == 6 * GIB
    assert gpus.gpus[0].memory.unknown == gpus.gpus[0].memory.used


def test_the_summary_tells_the_trouble_first_and_where_the_extremes_are() -> None:
    text = text_of(summary(gpu_set(view_of(scenes.cluster(HERE, 64))), 200))
    assert text.startswith("512 GPUs · 3 lost · 1 with ECC errors · 1 slowed · 8 silent · ")
    assert "fullest 97 % n05:3" in text
    assert "slowest rank 13" in text
    assert "hottest 91 °C n03:1" in text


def test_a_rank_is_slow_only_where_that_is_more_than_noise() -> None:
    run = scenes.training(HERE)
    assert gpu_set(view_of(run)).slowest is None
    slow = replace_struct(run.ranks[2], step_time_s=0.06)
    gpus = gpu_set(view_of(replace_struct(run, ranks=(*run.ranks[:2], slow, run.ranks[3]))))
    assert gpus.slowest == 2
    assert [gpu.is_slowest for gpu in gpus.gpus] == [False, False, True, False]


def test_names_of_nodes_are_short_and_differ() -> None:
    assert short_names(["gpu-a.site.org"]) == {}
    assert list(short_names(["gpu-a.site.org", "gpu-b.site.org"]).values()) == ["gpu-a", "gpu-b"]
    long = list(short_names([f"ip-10-20-30-{number}.ec2.internal" for number in (17, 18)]).values())
    assert len(set(long)) == 2
    assert max(map(len, long)) <= 12
    assert len(set(short_names(["n1.east.org", "n1.west.org"]).values())) == 2
    assert list(short_names(["n1.east.site.org", "n1.west.site.org"]).values()) == ["node 0", "node 1"]


def test_nothing_is_made_anew_while_nothing_that_is_drawn_changes() -> None:
    run = scenes.cluster(HERE)
    before = gpu_set(view_of(run))
    stepped = tuple(replace_struct(rank, global_step=5000) for rank in run.ranks)
    assert gpu_set(view_of(replace_struct(run, ranks=stepped)), before) is before
    more = (replace_struct(run.ranks[0], allocated=53 * GIB), *run.ranks[1:])
    assert gpu_set(view_of(replace_struct(run, ranks=more)), before) is not before


# ------------------------------------------------------------------------------------------------------------- grid


def bare(nodes: int, per_node: int) -> GpuSet:
    views = tuple(
        NodeView(
            name=f"n{node}", host=None, gpus=tuple(l40s(i, 9, 9, 9, 9) for i in range(per_node)), gpus_missing=None
        )
        for node in range(nodes)
    )
    return gpu_set(view_of(replace_struct(scenes.training(HERE, ranks=0), nodes=views)))


@pytest.mark.parametrize(
    ("nodes", "per_node"), [(1, 1), (1, 8), (1, 16), (1, 56), (2, 4), (8, 8), (5, 16), (64, 8), (33, 3)]
)
@pytest.mark.parametrize(("width", "height"), [(36, 4), (74, 8), (76, 4), (76, 20), (116, 32), (196, 46)])
def test_every_gpu_has_one_place_that_the_cursor_can_reach(nodes: int, per_node: int, width: int, height: int) -> None:
    gpus = bare(nodes, per_node)
    plan = layout(gpus, width, height)
    placed = [place for line in plan.lines for group in line for place in group.members]
    assert sorted(placed) == list(range(nodes * per_node))
    assert all(plan.column * len(line) + 2 * (len(line) - 1) <= width for line in plan.lines)
    assert plan.beside(placed[0], -1, -1) == placed[0]
    assert plan.beside(placed[-1], 10**6, 10**6) == placed[-1]
    assert [plan.beside(place, 1, 0) for place in placed[: len(plan.lines[0][0].members) - 1]] == placed[
        1 : len(plan.lines[0][0].members)
    ]


@pytest.mark.parametrize(("width", "height"), [(76, 20), (116, 32), (196, 46)])
def test_five_hundred_gpus_are_seen_at_once_in_a_zoomed_pane(width: int, height: int) -> None:
    assert len(layout(bare(64, 8), width, height).lines) <= height


def test_nodes_in_trouble_come_first_where_not_all_can_be_seen() -> None:
    gpus = gpu_set(view_of(scenes.cluster(HERE, 64)))
    plan = layout(gpus, 74, 8)
    assert [group.label for group in plan.lines[0]] == ["n02", "n26", "n50", "n06", "n03"]


@pytest.mark.parametrize("width", [1, 2, 4, 9, 10, 24])
def test_a_cell_keeps_its_width_and_its_trouble(width: int) -> None:
    gpus = gpu_set(view_of(scenes.cluster(HERE)))
    cells = [grid_cell(gpu, width, True) for gpu in gpus.gpus]
    assert {width_of(cell) for cell in cells} == {width}
    lost = next(cell for gpu, cell in zip(gpus.gpus, cells, strict=True) if gpu.gpu.error)
    assert ("✖", "bad") in lost


def test_the_pane_wants_a_row_for_each_gpu_or_node() -> None:
    assert wanted_rows(view_of(scenes.cluster(HERE, 2, 8))) == 16
    assert wanted_rows(view_of(scenes.cpu_cluster(HERE))) == 6
    assert wanted_rows(View(now=0.0, plan=Plan()), 8) == 8


@pytest.mark.parametrize("width", [40, 74, 120])
def test_nodes_without_gpus_have_a_row_each_and_say_why(width: int) -> None:
    rows = nodes_rows(scenes.cpu_cluster(HERE).nodes, True, width)
    assert [text_of(row)[:2] for row in rows[1:5]] == ["c0", "c1", "c2", "c3"]
    assert text_of(rows[5]).startswith("no GPUs: the NVIDIA driver")
    assert max(map(width_of, rows)) <= width


# ---------------------------------------------------------------------------------------------------------- details


@pytest.mark.parametrize("make", SETS)
def test_all_details_of_all_gpus_fit(make: Callable[[Path], RunSnapshot]) -> None:
    view = view_of(make(HERE))
    for gpu in gpu_set(view).gpus:
        for width in (30, 70, 86, 116, 196):
            assert all(width_of(row) <= width for row in detail_rows(view, gpu, width))
            assert width_of(readout(gpu, width)) <= width


def test_the_details_tell_everything() -> None:
    run = scenes.eight_gpus(HERE)
    text = "\n".join(map(text_of, detail_rows(view_of(run), gpu_set(view_of(run)).gpus[1], 86)))
    for said in (
        "41.6 of 45.0 GiB used  92 %", "allocated    21.65 GiB   48 %", "others       12.40 GiB", "peak         24.72",
        "281 of 350 W", "2310 of 2520 MHz", "40217  bob", "this run", "step 1 204", "41.0 ms/step", "last 09:59",
        "GPU-1 · compute 8.9",
    ):  # fmt: skip
        assert said in text, text


def test_the_driver_is_told_of_gpus_of_this_machine_alone() -> None:
    run = scenes.eight_gpus(HERE)
    machine = replace_struct(machines.studio(), driver=DriverFacts(driver="575.1", cuda="13.0"))

    def text(hostname: str | None) -> str:
        here = replace_struct(machine, host=replace_struct(machine.host, hostname=hostname))
        view = replace(view_of(run), environment=here)
        return "\n".join(map(text_of, detail_rows(view, gpu_set(view).gpus[0], 86)))

    assert "Driver      575.1 · CUDA up to 13.0" in text(run.nodes[0].name)
    assert "575.1" not in text("elsewhere")


def test_a_curve_is_not_drawn_over_what_is_not_known() -> None:
    history = GpuHistory(utilization=(50.0, 50.0, None, None, None, None, None, 50.0, 50.0), memory_used=(None,) * 9)
    drawn = chart_rows("Load", history.utilization, 100.0, 22, "train", "00:08", 3)
    middles = [text_of(row)[8:18] for row in drawn[1:]]
    assert all(not text.strip() for text in middles)
    assert any(ord(character) > 0x2800 for row in drawn for character in text_of(row))


# ------------------------------------------------------------------------------------------------------ on the screen


def pane_of(app: Any) -> GpusPane:
    pane = app.cockpit.parts.panes["gpus"]
    assert isinstance(pane, GpusPane)
    return pane


async def test_the_cursor_goes_over_the_cells_and_enter_opens_one(tmp_path: Path) -> None:
    app = scenes.cockpit(tmp_path, scenes.cluster(tmp_path))
    async with app.run_test(size=(120, 36)) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("4", "down", "down", "right", "right", "right", "right")
        await until(pilot, lambda: "GPU n02:4 · GPU is lost" in text_grid(app))
        await pilot.press("left")
        await until(pilot, lambda: "GPU n02:3 · " in text_grid(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, GpuWindow) and "GPU n02:3  NVIDIA H100" in text_grid(app))
        await pilot.press("right", "right")
        await until(pilot, lambda: "GPU n02:5  NVIDIA H100" in text_grid(app))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.cockpit)
        current = pane_of(app).current
        assert current is not None
        assert current.label == "n02:5"


async def test_the_window_goes_on_telling_and_survives_that_its_gpu_goes(tmp_path: Path) -> None:
    run = scenes.eight_gpus(tmp_path)
    outside = FakeOutside()
    app = scenes.cockpit(tmp_path, run, outside)
    async with app.run_test(size=(120, 36)) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("4", "enter")
        await until(pilot, lambda: "29.0 of 45.0 GiB used" in text_grid(app))
        assert outside.reader is not None
        fuller = (replace_struct(run.gpus[0], memory_used=44 * GIB), *run.gpus[1:])
        outside.reader.now = replace_struct(run, nodes=(replace_struct(run.nodes[0], gpus=fuller),))
        await until(pilot, lambda: "44.0 of 45.0 GiB used" in text_grid(app))
        outside.reader.now = replace_struct(run, nodes=(replace_struct(run.nodes[0], gpus=()),), gpus=())
        await until(pilot, lambda: "This GPU is no longer reported." in text_grid(app))
        await pilot.press("right", "escape")
        await until(pilot, lambda: app.screen is app.cockpit)


async def test_a_grid_that_does_not_fit_scrolls_with_the_cursor(tmp_path: Path) -> None:
    app = scenes.cockpit(tmp_path, scenes.cluster(tmp_path, 64))
    async with app.run_test(size=(120, 36)) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("4")
        assert "n62 " not in text_grid(app)
        await pilot.press("pagedown", "pagedown")
        await until(pilot, lambda: "n62 " in text_grid(app))
        await pilot.press("z")
        await until(pilot, lambda: all(f"n{node:02d} " in text_grid(app) for node in range(64)))


async def test_a_zoomed_list_tells_all_of_the_gpu_under_the_cursor(tmp_path: Path) -> None:
    app = scenes.cockpit(tmp_path, scenes.eight_gpus(tmp_path))
    async with app.run_test(size=(120, 36)) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("4", "z", "down")
        await until(pilot, lambda: "GPU 1  NVIDIA L40S ───" in text_grid(app) and "40217" in text_grid(app))


async def test_only_the_row_of_the_gpu_that_changed_is_painted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = scenes.eight_gpus(tmp_path)
    app = scenes.cockpit(tmp_path, run)
    async with app.run_test(size=(120, 36)) as pilot:
        await scenes.settle(app, pilot)
        pane = pane_of(app)
        painted: list[Any] = []
        with monkeypatch.context() as patch:
            patch.setattr(pane, "refresh", lambda *regions, **_: painted.extend(regions or ["all"]))
            view = app.cockpit.view
            pane.show(view)
            ahead = tuple(replace_struct(rank, global_step=9000) for rank in run.ranks)
            pane.show(View(**{**vars(view), "run": replace_struct(run, ranks=ahead)}))
            assert painted == []
            hotter = (*run.gpus[:2], replace_struct(run.gpus[2], temperature=70.0), *run.gpus[3:])
            changed = replace_struct(run, nodes=(replace_struct(run.nodes[0], gpus=hotter),))
            pane.show(View(**{**vars(view), "run": changed}))
        assert [(region.y, region.height) for region in painted] == [(3, 1)]
        assert painted[0].width <= 8


GRIDS: dict[str, tuple[Callable[[Path], RunSnapshot], tuple[int, int], tuple[str, ...]]] = {
    "gpus-8-zoomed-120x36": (scenes.eight_gpus, (120, 36), ("4", "z", "down")),
    "gpus-8-window-120x36": (scenes.eight_gpus, (120, 36), ("4", "z", "down", "enter")),
    "gpus-8-zoomed-200x50": (scenes.eight_gpus, (200, 50), ("4", "z")),
    "gpus-64-80x24": (scenes.cluster, (80, 24), ("4",)),
    "gpus-64-zoomed-120x36": (scenes.cluster, (120, 36), ("4", "z")),
    "gpus-512-zoomed-80x24": (lambda folder: scenes.cluster(folder, 64), (80, 24), ("4", "z")),
    "gpus-512-zoomed-120x36": (lambda folder: scenes.cluster(folder, 64), (120, 36), ("4", "z", "down", "right")),
    "gpus-mig-120x36": (scenes.sliced, (120, 36), ("4", "z")),
    "hosts-4-120x36": (scenes.cpu_cluster, (120, 36), ("4", "z")),
}


@pytest.mark.parametrize("name", GRIDS)
async def test_the_pane_looks_as_stored(name: str, tmp_path: Path, check_grid: CheckGrid) -> None:
    make, size, keys = GRIDS[name]
    app = scenes.cockpit(tmp_path, make(tmp_path))
    async with app.run_test(size=size) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press(*keys)
        await pilot.pause()
        check_grid(app, name)
