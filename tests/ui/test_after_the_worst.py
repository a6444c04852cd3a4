"""What the state line says of a stop that waits for a checkpoint, of what is left after it, of restarts and losses."""

from __future__ import annotations

from pathlib import Path

import pytest

from lightning_tui.record import RunSnapshot, RunState
from lightning_tui.record.events import CheckpointProof, Ended, Proof, Survivor
from lightning_tui.ui.cockpit.state_line import message_row, proof_row, state_row
from lightning_tui.ui.view import View
from tests.ui import machines, scenes
from tests.ui.machines import replace_struct
from tests.ui.outside import FakeOutside
from tests.ui.support import shows, text_of, until, view_of

GIB = 1 << 30


@pytest.mark.parametrize(
    ("rung", "size", "said"),
    [
        ("asked", 2 * GIB + GIB // 10, "writing a checkpoint, 2.1 GiB so far; SIGTERM is held back"),
        ("sigterm", None, "writing a checkpoint; SIGKILL is held back"),
    ],
)
def test_a_stop_that_waits_for_a_checkpoint_says_how_much_of_it_is_there(
    rung: str, size: int | None, said: str, tmp_path: Path
) -> None:
    run = scenes.stopping(tmp_path)
    assert run.stopping is not None
    stopping = replace_struct(run.stopping, rung=rung, is_saving=True, saved_bytes=size)
    assert text_of(message_row(view_of(replace_struct(run, stopping=stopping)))).startswith(said)


def ended_with(run: RunSnapshot, **found: object) -> View:
    proof = Proof(**{"ranks_gone": 2, "processes_gone": 6, **found})  # type: ignore[arg-type]
    ended = Ended(seq=9, time=machines.NOW, code=0, signal=None, cause="stop", proof=proof)
    detail = "stopped at step 412 on request"
    return view_of(replace_struct(run, state=RunState.STOPPED, detail=detail, ended=ended))


def test_after_a_stop_it_says_who_is_gone_what_is_free_and_what_is_kept(tmp_path: Path) -> None:
    run = scenes.training(tmp_path)
    whole = CheckpointProof(path="/c/a.ckpt", global_step=412, size=GIB, is_complete=True)
    view = ended_with(run, gpu_released=61 * GIB + GIB // 5, gpu_held=0, checkpoint=whole)
    said = "2 ranks gone, 61.2 GiB released, checkpoint of step 412 complete · stopped at step 412 on request"
    assert text_of(message_row(view)) == text_of(proof_row(view)) == said
    assert said in text_of(state_row(view, 180))
    assert "as asked" not in text_of(state_row(view, 100)), "where it has no room, it stands in the line below"
    assert view.run is not None
    told_before = replace_struct(view.run, notices=("restart 1 of 2 from step 400 after: A rank was killed",))
    assert text_of(message_row(view_of(told_before))) == said, "older news do not hide it"
    torn = replace_struct(whole, is_complete=False, problem="its end is missing")
    left = ended_with(run, checkpoint=torn, gpu_held=GIB, survivors=(Survivor(4711, "python train.py"),))
    assert text_of(proof_row(left)).startswith(
        "2 ranks gone, 1 GiB of GPU memory still held, checkpoint of step 412 is incomplete: its end is missing, "
        "still running: 4711 python train.py"
    )


def test_a_restart_is_told_while_it_is_awaited(tmp_path: Path) -> None:
    detail = "restart 2 of 3 from step 400 after: A rank was killed"
    run = replace_struct(scenes.training(tmp_path), state=RunState.STARTING, detail=detail)
    assert text_of(message_row(view_of(run))) == detail


async def test_a_run_without_supervisor_is_adopted_by_a_key_that_the_state_line_names(tmp_path: Path) -> None:
    outside, run = FakeOutside(), replace_struct(scenes.lost(tmp_path), ranks_alive=True)
    app = scenes.cockpit(tmp_path, run, outside)
    async with app.run_test(size=(120, 36)) as pilot:
        await scenes.settle(app, pilot)
        await until(pilot, shows(app, "O adopts"))
        await pilot.press("O")
        await until(pilot, lambda: bool(outside.asked))
        assert outside.asked == [("adopt", Path(run.directory))]
        await until(pilot, shows(app, "a new supervisor watches the run"))
