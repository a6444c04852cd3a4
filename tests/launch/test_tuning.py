"""Lightning's Tuner on an unmodified program in a real child: what is found, what is refused and why, what is left."""

from __future__ import annotations

import math
import os
import sys
import tempfile
from pathlib import Path

import msgspec
import pytest

from lightning_tui.launch.program import Program, resolve_program
from lightning_tui.launch.throwaway import MARK, Cancelled, ThrowawayEnd
from lightning_tui.launch.tuning import TuningError, _SearchProgress, tune_batch_size, tune_learning_rate
from lightning_tui.plan.model import PlanError
from lightning_tui.plan.tuning import (
    BatchSizeResult,
    Begun,
    LearningRateResult,
    Point,
    Trial,
    TuningStep,
    is_flat_at,
    steepest,
)

PROGRAM = Path(__file__).parent.parent / "programs" / "tunable.py"
CPU = Begun(device="cpu", device_name="CPU", precision="32-true", max_trials=10, memory_limit=8 << 30)


def tunable(folder: Path, mode: str) -> Program:
    return program(folder, str(PROGRAM), mode)


def program(folder: Path, *words: str) -> Program:
    return resolve_program(
        words,
        interpreter=Path(sys.executable),
        interpreter_is_given=True,
        folder=folder,
        environ=os.environ,
    )


def environ() -> dict[str, str]:
    """As a job of two tasks would have it: that must not make the child one of them."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "SLURM_NTASKS": "2", "SLURM_JOB_NAME": "train", "WORLD_SIZE": "2"}


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def temporary(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this process makes its temporary folders."""
    place = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


# ------------------------------------------------------------------------------------------------------- real children


@pytest.mark.e2e
def test_a_batch_size_is_found_on_one_device_and_leaves_no_trace(tmp_path: Path, temporary: Path) -> None:
    """Of a script with two ranks, a logger, checkpoints, limits, and code in a `finally` after fit."""
    steps: list[TuningStep] = []
    plan = {"precision": "bf16-mixed", "batch_size": 100, "devices": 2, "strategy": "ddp", "max_epochs": 3}
    found = tune_batch_size(tunable(tmp_path, "ddp"), plan, max_trials=4, environ=environ(), on_progress=steps.append)
    assert found.batch_size == 16
    assert found.changes == {"batch_size": 16}
    assert found.own_size == 8
    assert found.stopped_by == "max_trials"
    assert [(t.batch_size, t.real_size, t.status) for t in found.trials] == [(n, n, "ok") for n in (2, 4, 8, 16)]
    assert isinstance(steps[0], Begun)
    assert steps[0].precision == "bf16-mixed"
    assert steps[0].attribute == "datamodule.batch_size"
    assert [s.status for s in steps[1:] if isinstance(s, Trial)] == ["running", "ok"] * 4
    assert left_in(tmp_path) == ["reached.txt"], "neither logs, nor checkpoints, nor what stands after fit"
    assert left_in(temporary) == []


@pytest.mark.e2e
def test_a_learning_rate_is_tested_though_the_model_has_no_attribute_and_fit_got_a_loader(
    tmp_path: Path, temporary: Path
) -> None:
    steps: list[TuningStep] = []
    found = tune_learning_rate(
        tunable(tmp_path, "bare"),
        {},
        lowest=1e-5,
        highest=1.0,
        num_steps=60,
        environ=environ(),
        on_progress=steps.append,
    )
    assert found.begun.attribute is None
    assert found.suggestion is not None
    assert 40 <= len(found.points) <= 60, "limits of the script's own would have left two"
    assert found.points[0][0] == 1e-5
    told = [step for step in steps if isinstance(step, Point)]
    assert [(p.lr, p.loss) for p in told] == list(found.points[: len(told)])
    assert len(told) >= len(found.points) - 1
    assert found.steepest is not None
    assert 1e-3 < found.steepest < 1.0
    assert any("no `lr` or `learning_rate`" in note for note in found.notes)
    assert left_in(tmp_path) == ["reached.txt"]
    assert left_in(temporary) == []


@pytest.mark.e2e
def test_a_loader_that_ignores_the_size_gives_no_result(tmp_path: Path) -> None:
    with pytest.raises(TuningError, match=r"does not follow the batch size.*batch sampler Fixed") as caught:
        tune_batch_size(tunable(tmp_path, "ignoring"), {}, environ=environ())
    assert "DataLoader(batch_size=self.batch_size)" in str(caught.value)


def test_a_cancelled_search_leaves_nothing(tmp_path: Path, temporary: Path) -> None:
    sleeps = "import subprocess, sys, time\nsubprocess.Popen(['sleep', '600'], start_new_session=True)\n"
    (tmp_path / "sleeps.py").write_text(sleeps + "open('asleep', 'w').close()\ntime.sleep(600)\n")
    alive: list[Path] = []

    def is_cancelled() -> bool:
        alive[:] = marked(temporary)
        return (tmp_path / "asleep").exists()

    with pytest.raises(Cancelled):
        tune_learning_rate(program(tmp_path, "sleeps.py"), {}, environ=environ(), is_cancelled=is_cancelled)
    assert len(alive) >= 2, "the program and the process in a session of its own"
    assert left_in(temporary) == []
    assert marked(temporary) == []


def marked(folder: Path) -> list[Path]:
    """Processes of searches that keep their files in the folder."""
    return [pid for pid in Path("/proc").iterdir() if pid.name.isdigit() and is_marked(pid, folder)]


def is_marked(process: Path, folder: Path) -> bool:
    try:
        return f"{MARK}={folder}".encode() in (process / "environ").read_bytes()
    except OSError:
        return False


# --------------------------------------------------------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("lines", "end", "words"),
    [
        ([], ThrowawayEnd(0, ""), "without calling Trainer.fit"),
        (
            [],
            ThrowawayEnd(2, "usage: train.py\nerror: --data is needed\x1b[2J"),
            "code 2 before its fit: error: --data is",
        ),
        ([], ThrowawayEnd(1, ""), "it printed nothing."),
        ([], ThrowawayEnd(-15, ""), "ended by SIGTERM"),
        ([], ThrowawayEnd(0, "", is_out_of_time=True), "within 5 s"),
        (
            [{"event": "trial", "number": 3, "batch_size": 8, "status": "running"}],
            ThrowawayEnd(-9, ""),
            "SIGKILL) while batch size 8 was tried: most likely by the kernel",
        ),
        (
            [{"event": "refused", "reason": "nothing_fits", "detail": ""}],
            ThrowawayEnd(0, ""),
            "Not even one sample fits",
        ),
        (
            [{"event": "refused", "reason": "manual_optimization", "detail": ""}],
            ThrowawayEnd(0, ""),
            "manual optimization",
        ),
        ([{"event": "refused", "reason": "no_batches", "detail": ""}], ThrowawayEnd(0, ""), "No batch was trained"),
        (
            [
                {
                    "event": "failed",
                    "type": "MisconfigurationException",
                    "message": "returned 2, but learning rate finder only works with single optimizer",
                    "traceback": "",
                    "in_fit": True,
                }
            ],
            ThrowawayEnd(0, ""),
            "several optimizers",
        ),
        (
            [
                {
                    "event": "failed",
                    "type": "ImportError",
                    "message": "no numpyy\x1b[1m",
                    "traceback": "",
                    "in_fit": False,
                }
            ],
            ThrowawayEnd(1, ""),
            "failed before its fit: ImportError: no numpyy",
        ),
    ],
)
def test_every_end_without_a_result_is_told_with_its_cause(
    lines: list[dict[str, object]], end: ThrowawayEnd, words: str
) -> None:
    search = _SearchProgress(lambda step: None)
    search._end, search._time_limit_s = end, 5
    for line in lines:
        search._read_event(msgspec.json.encode(line))
    sentence = search.why_nothing()
    assert words in sentence
    assert sentence.isprintable()


@pytest.mark.parametrize(
    ("end", "stopped_by"), [(ThrowawayEnd(-9, "", is_out_of_time=True), "time"), (ThrowawayEnd(-9, ""), "killed")]
)
def test_what_was_found_before_the_time_was_up_or_the_kernel_struck_is_kept(end: ThrowawayEnd, stopped_by: str) -> None:
    search = _SearchProgress(lambda step: None)
    search._end = end
    for number, size in enumerate((2, 4, 8), start=1):
        begun = {"event": "trial", "number": number, "batch_size": size, "status": "running"}
        search._read_event(msgspec.json.encode(begun))
        search._read_event(msgspec.json.encode({**begun, "status": "ok", "real_size": min(size, 7)}))
    search._read_event(msgspec.json.encode({"event": "trial", "number": 4, "batch_size": 16, "status": "running"}))
    found = search.found_before_the_end()
    assert found is not None
    assert (found.batch_size, found.stopped_by) == (7, stopped_by)
    search._end = ThrowawayEnd(1, "")
    assert search.found_before_the_end() is None, "an error of the program is no limit of memory"


def test_rates_that_cannot_be_meant_are_refused_before_anything_is_started(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"--min 1 --max 0\.1"):
        tune_learning_rate(tunable(tmp_path, "good"), {}, lowest=1.0, highest=0.1, environ={})


def size_result(**changes: object) -> BatchSizeResult:
    result = BatchSizeResult(
        batch_size=64,
        own_size=8,
        stopped_by="max_trials",
        trials=(),
        seconds=1.0,
        begun=CPU,
        changes={"batch_size": 64},
    )
    return msgspec.structs.replace(result, **changes)


def test_a_size_on_a_cpu_says_that_the_memory_is_no_limit_there() -> None:
    notes = " ".join(size_result().notes)
    assert "not at a memory limit" in notes
    assert "the kernel kills processes" in notes
    assert "8 GiB" in notes
    assert "no `batch_size` on its model" in notes
    assert "self.save_hyperparameters()" in notes
    cli = msgspec.structs.replace(CPU, attribute="datamodule.batch_size", uses_cli=True)
    assert "On the command line: --data.batch_size 64." in size_result(begun=cli).notes


def rate_result(losses: list[float], suggestion: float | None) -> LearningRateResult:
    points = tuple((10 ** (-8 + 8 * i / 99), loss) for i, loss in enumerate(losses))
    begun = msgspec.structs.replace(CPU, attribute="self.hparams.lr", uses_cli=True)
    return LearningRateResult(suggestion=suggestion, points=points, wanted=100, seconds=1.0, begun=begun)


FALLING = [2.0 - 1.5 / (1 + math.exp(-(i - 60) / 4)) + 0.02 * math.sin(3 * i) for i in range(100)]


def test_a_suggestion_where_the_curve_is_flat_is_doubted_and_a_better_one_named() -> None:
    doubtful = rate_result(FALLING, 10 ** (-8 + 8 * 12 / 99))
    assert doubtful.is_doubtful
    assert doubtful.steepest == pytest.approx(10 ** (-8 + 8 * 60 / 99), rel=0.8)
    assert "still flat" in doubtful.notes[0]
    good = rate_result(FALLING, 10 ** (-8 + 8 * 58 / 99))
    assert not good.is_doubtful
    assert good.best_guess == good.suggestion
    assert good.notes[0].startswith("In code: self.hparams.lr = ")
    assert good.notes[1].startswith("On the command line: --model.lr ")
    assert "auto_lr_find" in good.notes[2]


def test_no_suggestion_says_why() -> None:
    few = rate_result(FALLING[:8], None)
    assert "there are 8 points" in few.notes[0]
    assert "--num-steps" in few.notes[0]
    broken = rate_result([math.nan] * 100, None)
    assert "NaN or infinite in 100 of 100 points" in broken.notes[0]
    assert broken.best_guess is None
    assert broken.steepest is None


@pytest.mark.parametrize("points", [[], [(1e-3, 1.0)], [(10.0**-i, 1.0) for i in range(40, 0, -1)]])
def test_what_is_no_falling_curve_has_no_steepest_point(points: list[tuple[float, float]]) -> None:
    assert steepest(points) is None
    assert not is_flat_at(points, 1e-3)
