"""The proof after an end, from made-up looks at processes and GPUs; which files count as a growing checkpoint."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lightning_tui.launch.processes import written_files
from lightning_tui.launch.proof import Witness, held_by_run
from lightning_tui.launch.saving import GROWING_S, SavingWatch
from lightning_tui.record import GpuProcess, GpuSample, RunDirectory


def gpu(*processes: GpuProcess, index: int = 0, mig: int | None = None) -> GpuSample:
    return GpuSample(index=index, mig=mig, processes=processes)


def ours(pid: int, memory: int | None = 100) -> GpuProcess:
    return GpuProcess(pid, memory, ours=True)


OTHERS = GpuProcess(9, 5000, ours=False)


@pytest.mark.parametrize(
    ("gpus", "held"),
    [
        ([gpu(ours(1), OTHERS), gpu(ours(2, 30), index=1)], 130),
        ([gpu(OTHERS)], 0),
        ([gpu(ours(1)), gpu(ours(1, 60), mig=0)], 60),
        ([gpu(ours(1, None))], None),
        ([gpu(GpuProcess(1, 100, ours=None))], None),
        ([GpuSample(index=0)], None),
        ([], None),
    ],
    ids=["two GPUs", "others alone", "a slice", "memory not known", "whose is not known", "nothing told", "no GPU"],
)
def test_memory_of_the_run_is_known_or_not_known(gpus: list[GpuSample], held: int | None) -> None:
    assert held_by_run(gpus) == held


def test_what_was_held_and_is_held_no_more_is_released() -> None:
    witness = Witness()
    witness.see([1, 2, 3], [gpu(ours(1), ours(2))])
    witness.see([1, 2], [gpu()])  # its driver has let go already, its processes have not
    witness.see([], [gpu()])
    proof = witness.proof(ranks=2, survivors=[], gpus=[gpu(OTHERS)], checkpoint=None)
    assert (proof.ranks_gone, proof.processes_gone, proof.gpu_released, proof.gpu_held) == (2, 2, 200, 0)


def test_a_survivor_is_named_with_what_it_holds() -> None:
    witness = Witness()
    me = os.getpid()
    witness.see([1, me], [gpu(ours(1), ours(me, 40))])
    proof = witness.proof(ranks=1, survivors=[me], gpus=[gpu(ours(me, 40))], checkpoint=None)
    assert (proof.processes_gone, proof.gpu_released, proof.gpu_held) == (1, 100, 40)
    (survivor,) = proof.survivors
    assert survivor.pid == me
    assert "python" in survivor.command or "pytest" in survivor.command


def test_a_machine_without_gpus_releases_nothing_that_is_known() -> None:
    witness = Witness()
    witness.see([1], [])
    assert witness.proof(ranks=1, survivors=[], gpus=[], checkpoint=None).gpu_released is None


def test_files_that_are_open_for_writing_are_seen_with_their_size(tmp_path: Path) -> None:
    with (tmp_path / "written").open("wb", buffering=0) as written, Path(__file__).open("rb"):
        written.write(bytes(12))
        found = written_files(os.getpid())
    assert found[str(tmp_path / "written")] == 12
    assert __file__ not in found
    assert written_files(4_000_000_000) == {}


def test_a_checkpoint_that_nobody_tells_of_is_known_by_its_growth(tmp_path: Path) -> None:
    """As an asynchronous writer leaves it: the Trainer has long come back from saving."""
    directory = RunDirectory(tmp_path / "run")
    (directory.attempt(0) / "output").mkdir(parents=True)
    watch, me = SavingWatch(directory), [os.getpid()]
    with (
        (tmp_path / "model.ckpt").open("wb", buffering=0) as model,
        directory.output(0, 0).open("wb", buffering=0) as output,
    ):
        assert watch.check(None, me, 0.0) is None
        output.write(b"a line")
        assert watch.check(None, me, 1.0) is None, "output that grows is no checkpoint"
        model.write(bytes(1000))
        seen = watch.check(None, me, 2.0)
        assert seen is not None
        assert seen.size == 1000
        assert watch.check(None, me, 2.0 + GROWING_S) is None
    told = watch.check(str(tmp_path / "model.ckpt"), me, 20.0)
    assert told is not None
    assert told.size is None, "the file that is there is the one before"
