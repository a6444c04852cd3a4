"""One look at the GPUs, now, by somebody who cannot wait: a driver that hangs is left behind in its thread."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

from lightning_tui.gpus.driver import DriverFacts
from lightning_tui.gpus.reader import GpuReader
from lightning_tui.record.samples import GpuSample

ValueT = TypeVar("ValueT")

PATIENCE_S = 3.0


class PatientReader(GpuReader):
    """A reader whose calls end after `PATIENCE_S` at the latest; once it has lost its patience, it asks no more."""

    def __init__(self, patience_s: float = PATIENCE_S, environ: Mapping[str, str] = os.environ) -> None:
        super().__init__(environ=environ)
        self._patience_s = patience_s
        self._is_stuck = False

    def read(self, ours: Collection[int] = (), *, is_thorough: bool = False) -> tuple[GpuSample, ...]:
        """As `GpuReader.read`; of a driver that hangs nothing, and `missing` says so."""
        read = super().read
        return self._in_time(lambda: read(ours, is_thorough=is_thorough), ())

    def driver_facts(self) -> DriverFacts:
        """As `GpuReader.driver_facts`; of a driver that hangs none."""
        return self._in_time(super().driver_facts, DriverFacts())

    def close(self) -> None:
        """Let the driver go, unless it is the driver that does not let go."""
        self._in_time(super().close, None)

    def _in_time(self, ask: Callable[[], ValueT], otherwise: ValueT) -> ValueT:
        if self._is_stuck:
            return otherwise
        answers: list[ValueT] = []
        thread = threading.Thread(target=lambda: answers.append(ask()), name="asking the GPU driver", daemon=True)
        thread.start()
        thread.join(self._patience_s)
        if thread.is_alive():
            self._is_stuck = True
            self.missing = f"the NVIDIA driver has not answered for {self._patience_s:.0f} s"
        return answers[0] if answers else otherwise
