"""The window that tunes: what it asks, shows and takes into the plan; a fake search stands for the child process."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from lightning_tui.plan.model import Plan
from lightning_tui.plan.tuning import (
    BatchSizeResult,
    Begun,
    LearningRateResult,
    Point,
    Trial,
    TuningStep,
)
from lightning_tui.refusal import RefusalError
from lightning_tui.services.programs import ProgramChoice
from lightning_tui.services.tuning import Goal
from lightning_tui.ui.tuning.rate_chart import RateMark, rate_chart
from lightning_tui.ui.tuning.window import TuningWindow
from tests.ui import scenes
from tests.ui.outside import FakeOutside
from tests.ui.support import shows, text_grid, until

GPU = Begun(
    device="cuda:0", device_name="NVIDIA L40S", precision="bf16-mixed", attribute="model.batch_size", max_trials=25
)


def curve(rates: int = 100) -> tuple[tuple[float, float], ...]:
    """A curve as a range test draws it: flat, falling about 1e-3, diverging at the end."""
    points = []
    for place in range(rates):
        power = -8 + 8 * place / (rates - 1)
        loss = 2.4 - 1.6 / (1 + math.exp(-4 * (power + 3))) + 0.03 * math.sin(place * 1.7)
        points.append((10**power, loss + max(0.0, power + 1) ** 3 * 8))
    return tuple(points)


def trial(number: int, size: int, status: str = "ok") -> Trial:
    seconds, memory = (None, None) if status == "running" else (0.2 * number, size * 90_000_000)
    return Trial(number=number, batch_size=size, status=status, real_size=size, seconds=seconds, memory=memory)  # type: ignore[arg-type]


class FakeSearch:
    """Tells some steps, waits until it may end, and then gives a result."""

    def __init__(self, steps: list[TuningStep], result: BatchSizeResult | LearningRateResult | RefusalError) -> None:
        self.steps = steps
        self.result = result
        self.may_end = threading.Event()
        self.was_cancelled = False
        self.asked: list[tuple[Goal, tuple[str, ...], dict[str, object]]] = []

    def __call__(
        self,
        goal: Goal,
        program: ProgramChoice,
        plan: Plan,
        on_progress: Callable[[TuningStep], None],
        is_cancelled: Callable[[], bool],
    ) -> BatchSizeResult | LearningRateResult:
        self.asked.append((goal, program.given, plan.changes()))
        for step in self.steps:
            on_progress(step)
        while not self.may_end.wait(0.01):
            if is_cancelled():
                self.was_cancelled = True
                raise RuntimeError("cancelled")
        if isinstance(self.result, RefusalError):
            raise self.result
        return self.result


def found_size() -> tuple[list[TuningStep], BatchSizeResult]:
    trials = [trial(n, 2**n) for n in range(1, 7)] + [trial(7, 128, "failed")]
    result = BatchSizeResult(
        batch_size=64,
        own_size=16,
        stopped_by="memory",
        trials=tuple(trials),
        seconds=31.0,
        begun=GPU,
        changes={"batch_size": 64},
    )
    return [GPU, *trials[:6], trial(7, 128, "running")], result


def found_rate() -> tuple[list[TuningStep], LearningRateResult]:
    points = curve()
    begun = Begun(device="cuda:0", device_name="NVIDIA L40S", precision="32-true", attribute="self.lr")
    steps = [Point(number=n, lr=rate, loss=loss) for n, (rate, loss) in enumerate(points[:60], start=1)]
    result = LearningRateResult(suggestion=points[62][0], points=points, wanted=100, seconds=12.0, begun=begun)
    return [begun, *steps], result


async def test_a_batch_size_is_watched_and_taken_into_the_plan(tmp_path: Path) -> None:
    search = FakeSearch(*found_size())
    app = scenes.cockpit(tmp_path, None, FakeOutside(search=search), plan=Plan(precision="bf16-mixed"))
    async with app.run_test(size=(120, 36)) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("t")
        assert "runs the program's own code up to fit" in text_grid(app)
        assert search.asked == []
        await pilot.press("enter")
        await until(pilot, shows(app, "128  … running"))
        assert "at most 25 trials" in text_grid(app)
        assert search.asked == [("batch-size", ("train.py", "--size", "124M"), {"precision": "bf16-mixed"})]
        await pilot.press("enter")
        assert isinstance(app.screen, TuningWindow), "there is no result to take yet"
        search.may_end.set()
        await until(pilot, shows(app, "add to the plan"))
        grid = text_grid(app)
        assert "Batch size 64" in grid
        assert "the program's own: 16" in grid
        assert "✖ too large" in grid
        await pilot.press("enter")
        await until(pilot, lambda: app.cockpit.view.plan.batch_size == 64)
        assert app.cockpit.view.plan.precision == "bf16-mixed"


async def test_closing_the_window_ends_the_search_and_changes_nothing(tmp_path: Path) -> None:
    search = FakeSearch(*found_size())
    app = scenes.cockpit(tmp_path, None, FakeOutside(search=search))
    async with app.run_test(size=(120, 36)) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("t", "enter")
        await until(pilot, shows(app, "running"))
        await pilot.press("escape")
        await until(pilot, lambda: search.was_cancelled)
        assert not isinstance(app.screen, TuningWindow)
        assert app.cockpit.view.plan == Plan()


async def test_a_search_without_result_says_why(tmp_path: Path) -> None:
    search = FakeSearch([], RefusalError("The program's data loader does not follow the batch size."))
    search.may_end.set()
    app = scenes.cockpit(tmp_path, None, FakeOutside(search=search))
    async with app.run_test(size=(80, 24)) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("t", "enter")
        await until(pilot, shows(app, "does not follow the batch size"))
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(app.screen, TuningWindow))
        assert app.cockpit.view.plan == Plan()


async def test_tuning_waits_for_a_run_that_is_going_on(tmp_path: Path) -> None:
    search = FakeSearch(*found_size())
    app = scenes.cockpit(tmp_path, scenes.training(tmp_path), FakeOutside(search=search))
    async with app.run_test(size=(120, 36)) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("t")
        await until(pilot, shows(app, "tune when it has ended"))
        assert not isinstance(app.screen, TuningWindow)


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_the_curve_is_drawn_while_it_grows_and_then_with_its_suggestion(
    size: tuple[int, int], tmp_path: Path
) -> None:
    search = FakeSearch(*found_rate())
    app = scenes.cockpit(tmp_path, None, FakeOutside(search=search))
    async with app.run_test(size=size) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("t", "down", "enter")
        await until(pilot, shows(app, "point 60 · rate 5.86e-4"))
        search.may_end.set()
        await until(pilot, shows(app, "▲ 0.00102 Lightning's rule"))
        grid = text_grid(app)
        assert search.asked[0][0] == "lr"
        assert "1e-8" in grid
        assert "In code: self.lr = 0.00102." in grid
        assert any("─▲─" in line for line in grid.splitlines()), "the suggestion stands on the axis"
        await pilot.press("escape")


async def test_a_doubtful_suggestion_is_told_with_a_better_one(tmp_path: Path) -> None:
    steps, result = found_rate()
    doubtful = msgspec.structs.replace(result, suggestion=result.points[11][0])
    search = FakeSearch(steps, doubtful)
    search.may_end.set()
    app = scenes.cockpit(tmp_path, None, FakeOutside(search=search))
    async with app.run_test(size=(120, 36)) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("t", "down", "enter")
        await until(pilot, shows(app, "The curve is still flat at 7.74e-8"))
        assert "In code: self.lr = 0.00123." in text_grid(app)
        await pilot.press("escape")


def test_a_diverging_loss_does_not_flatten_the_fall_before_it() -> None:
    rows = rate_chart(curve(), [RateMark(1e-3, "▲", "accent")], 80, 20)
    text = ["".join(span for span, _ in row) for row in rows]
    assert len(text) == 20
    assert {len(line) for line in text} == {80}
    drawn = [y for y, line in enumerate(text[:18]) if any("⠀" < c <= "⣿" for c in line[:60])]
    assert max(drawn) - min(drawn) >= 8, "the fall takes most of the height"
    assert "▲" in text[18]
    assert "1e-8" in text[19]
    assert "1e-3" in text[19]


@pytest.mark.parametrize("points", [(), ((1e-3, math.nan), (1e-2, math.inf))])
def test_nothing_is_drawn_of_what_is_no_curve(points: tuple[tuple[float, float], ...]) -> None:
    assert rate_chart(points, (), 80, 20) == []


def test_one_point_and_a_flat_curve_can_be_drawn() -> None:
    assert len(rate_chart(((1e-3, 2.0),), (), 60, 10)) == 10
    assert len(rate_chart(((1e-3, 2.0), (1e-2, 2.0)), (), 60, 10)) == 10
