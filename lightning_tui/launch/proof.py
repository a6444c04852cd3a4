"""Is it really over? What a run's processes were and held, and what of that is left after the end."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from lightning_tui.launch.processes import command_of
from lightning_tui.record.events import CheckpointProof, Proof, Survivor
from lightning_tui.record.masking import mask_secrets
from lightning_tui.record.samples import GpuSample
from lightning_tui.text.safe import harmless

if TYPE_CHECKING:
    from lightning_tui.record.checkpoints import Checkpoint

_LONGEST_COMMAND = 120


class Witness:
    """Remembers what the run's processes held while they lived."""

    def __init__(self) -> None:
        self._processes: frozenset[int] = frozenset()
        self._held: int | None = None

    def see(self, processes: Collection[int], gpus: Sequence[GpuSample]) -> None:
        """Take one look while the run lives."""
        if not processes:
            return
        self._processes = frozenset(processes)
        held = held_by_run(gpus)
        if held:  # none is held by a process that is about to go, too
            self._held = held

    def proof(
        self,
        *,
        ranks: int,
        survivors: Collection[int],
        gpus: Sequence[GpuSample],
        checkpoint: CheckpointProof | None,
    ) -> Proof:
        """Say what became of it; `ranks` are those that are gone, `gpus` what was read after the end."""
        held = held_by_run(gpus) if gpus else None
        known = self._held is not None and held is not None
        return Proof(
            ranks_gone=ranks,
            processes_gone=len(self._processes - set(survivors)),
            gpu_released=max(0, (self._held or 0) - (held or 0)) if known else None,
            gpu_held=held if known else None,
            checkpoint=checkpoint,
            survivors=tuple(Survivor(pid, _shown(pid)) for pid in survivors),
        )


def held_by_run(gpus: Sequence[GpuSample]) -> int | None:
    """Bytes that the run's processes hold on all GPUs; `None` where the driver does not tell, or not whose they are."""
    sliced = {gpu.index for gpu in gpus if gpu.mig is not None}
    devices = [gpu for gpu in gpus if gpu.mig is not None or gpu.index not in sliced]
    if not devices or any(gpu.processes is None for gpu in devices):
        return None
    processes = [process for gpu in devices for process in gpu.processes or ()]
    if any(process.ours is None for process in processes):
        return None
    held = [process.memory for process in processes if process.ours]
    return None if None in held else sum(memory or 0 for memory in held)


def checkpoint_proof(checkpoints: Sequence[Checkpoint]) -> CheckpointProof | None:
    """The newest of the checkpoints, which come newest first, and whether it looks as if it can be loaded."""
    if not checkpoints:
        return None
    newest = checkpoints[0]
    return CheckpointProof(
        path=newest.path,
        global_step=newest.global_step,
        size=newest.size,
        is_complete=newest.is_complete,
        problem=newest.problem,
    )


def _shown(pid: int) -> str:
    command = " ".join(mask_secrets(command_of(pid)))[:_LONGEST_COMMAND]
    return harmless(command) or "(its command cannot be read)"
