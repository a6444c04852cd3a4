"""What do the GPUs say? One look at each of them through NVML, the driver's own interface (nvidia-ml-py).

A call may block for as long as the driver likes: use a reader from a thread of its own, as `GpuSampler` does. Every
call and every GPU is caught by itself, so one broken GPU hides no other.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping
from types import ModuleType
from typing import NamedTuple

from lightning_tui.gpus.absence import why_missing, why_no_device
from lightning_tui.gpus.device import RETRY_S, Device
from lightning_tui.gpus.driver import DriverFacts, query_driver
from lightning_tui.gpus.nvml import answer
from lightning_tui.gpus.owners import ProcessNames
from lightning_tui.record.samples import GpuSample


class Question(NamedTuple):
    """The driver is being asked about one GPU, since when on the reader's clock."""

    gpu: int
    mig: int | None
    since: float


class GpuReader:
    """Reads all NVIDIA GPUs of this machine, MIG slices as devices of their own after their GPU. Used by one thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, environ: Mapping[str, str] = os.environ) -> None:
        """Touch nothing yet: the driver is first asked by `read`."""
        self.missing: str | None = None
        """After a `read` that gave nothing: why, in plain words."""
        self.gives_up = False
        """Whether no later `read` can give anything, because this machine has no driver."""
        self.asking: Question | None = None
        """What the driver has not answered yet; other threads may look at it."""
        self._clock = clock
        self._environ = environ
        self._nvml: ModuleType | None = None
        self._devices: list[Device] = []
        self._names = ProcessNames()
        self._retry_at = 0.0

    def read(self, ours: Collection[int] = (), *, is_thorough: bool = False) -> tuple[GpuSample, ...]:
        """Look at every GPU once; processes whose pid is in `ours` are marked. Raises nothing that NVML raises.

        A thorough look asks at once for what is else asked every few seconds.
        """
        now = self._clock()
        self._connect(now)
        samples = []
        for device in self._devices:
            samples.append(self._sample(device, now, ours, is_thorough))
            samples += [self._sample(mig, now, ours, is_thorough) for mig in device.slices(now)]
        self.asking = None
        return tuple(samples)

    def driver_facts(self) -> DriverFacts:
        """Ask the driver about itself and the ways between the GPUs. Raises nothing that NVML raises."""
        self._connect(self._clock())
        if self._nvml is None:
            return DriverFacts()
        found = ((device.index, device.handle()) for device in self._devices)
        return query_driver(self._nvml, {index: handle for index, handle in found if handle is not None})

    def close(self) -> None:
        """Let the driver go. The next `read` would find it again."""
        if self._nvml is not None:
            answer(self._nvml, self._nvml.nvmlShutdown)
        self._nvml, self._devices, self._retry_at = None, [], 0.0

    def _sample(self, device: Device, now: float, ours: Collection[int], is_thorough: bool) -> GpuSample:
        self.asking = Question(device.index, device.mig, self._clock())
        return device.sample(now, self._names, ours, is_thorough=is_thorough)

    def _connect(self, now: float) -> None:
        if self._nvml is None and not self.gives_up and now >= self._retry_at:
            self._retry_at = now + RETRY_S
            self._find_gpus()

    def _find_gpus(self) -> None:
        try:
            import pynvml
        except ImportError:
            self.missing, self.gives_up = "nvidia-ml-py is not installed", True
            return
        try:
            pynvml.nvmlInit()
            count = pynvml.nvmlDeviceGetCount()
        except pynvml.NVMLError as error:
            self.gives_up = error.value == pynvml.NVML_ERROR_LIBRARY_NOT_FOUND
            self.missing = why_missing(error.value, str(error), self._environ)
            return
        self._nvml = pynvml
        self._devices = [Device(pynvml, index) for index in range(count)]
        self.missing = None if count else why_no_device(self._environ)
