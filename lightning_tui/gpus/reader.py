"""What do the GPUs say? One look at each of them through NVML, the driver's own interface (nvidia-ml-py).

A call may block for as long as the driver likes: use a reader from a thread of its own. Every call and every GPU is
caught by itself, so one broken GPU hides no other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from types import ModuleType
from typing import Any, TypeVar

from lightning_tui.record.samples import GpuProcess, GpuSample

ValueT = TypeVar("ValueT")

RETRY_S = 30.0
"""How long a lost GPU, or a driver that did not answer, is left alone."""

PROCESSES_EVERY_S = 2.0
"""Process lists cost more than readings and change less often."""

NO_DRIVER = "no NVIDIA driver found"
NO_DEVICE = "driver loaded, but no device"


class GpuReader:
    """Reads all NVIDIA GPUs of this machine. Used by one thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Touch nothing yet: the driver is first asked by `read`."""
        self.missing: str | None = None
        """After a `read` that gave nothing: why, in plain words."""
        self.gives_up = False
        """Whether no later `read` can give anything, because this machine has no driver."""
        self._clock = clock
        self._nvml: ModuleType | None = None
        self._gpus: list[_Gpu] = []
        self._retry_at = 0.0

    def read(self, ours: Collection[int] = ()) -> tuple[GpuSample, ...]:
        """Look at every GPU once; processes whose pid is in `ours` are marked. Raises nothing that NVML raises."""
        now = self._clock()
        if self._nvml is None and not self.gives_up and now >= self._retry_at:
            self._retry_at = now + RETRY_S
            self._find_gpus()
        return tuple(gpu.sample(now, ours) for gpu in self._gpus)

    def close(self) -> None:
        """Let the driver go. The next `read` would find it again."""
        if self._nvml is not None:
            _answer(self._nvml, self._nvml.nvmlShutdown)
        self._nvml, self._gpus, self._retry_at = None, [], 0.0

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
            self.missing = _why_missing(pynvml, error)
            return
        self._nvml = pynvml
        self._gpus = [_Gpu(pynvml, index) for index in range(count)]
        self.missing = None if count else NO_DEVICE


class _GpuTroubleError(Exception):
    """This GPU gives nothing at present; the message says why."""


class _Gpu:
    """One GPU: what is constant is asked once, what it does not support is never asked again."""

    def __init__(self, nvml: ModuleType, index: int) -> None:
        self._nvml = nvml
        self._index = index
        self._handle: Any = None
        self._unsupported: set[str] = set()
        self._constants: dict[str, Any] = {}
        self._processes: list[tuple[int, int | None]] | None = None
        self._processes_due = 0.0
        self._trouble: str | None = None
        self._retry_at = 0.0

    def sample(self, now: float, ours: Collection[int]) -> GpuSample:
        if self._trouble is None or now >= self._retry_at:
            try:
                readings = self._readings(now, ours)
                self._trouble = None
                return GpuSample(index=self._index, **self._constants, **readings)
            except _GpuTroubleError as trouble:
                self._trouble, self._retry_at, self._handle = str(trouble), now + RETRY_S, None
        return GpuSample(index=self._index, **self._constants, error=self._trouble)

    def _readings(self, now: float, ours: Collection[int]) -> dict[str, Any]:
        if self._handle is None:
            self._handle = self._open()
            self._constants = self._ask_constants()
        nvml, handle = self._nvml, self._handle
        used, total = self._memory()
        rates = self._ask("utilization", lambda: nvml.nvmlDeviceGetUtilizationRates(handle))
        sensor = nvml.NVML_TEMPERATURE_GPU
        return {
            "memory_used": used,
            "memory_total": total,
            "utilization": None if rates is None else float(rates.gpu),
            "temperature": self._ask("temperature", lambda: float(nvml.nvmlDeviceGetTemperature(handle, sensor))),
            "power": self._ask("power", lambda: nvml.nvmlDeviceGetPowerUsage(handle) / 1000),
            "processes": self._process_list(now, ours),
        }

    def _open(self) -> Any:
        try:
            return self._nvml.nvmlDeviceGetHandleByIndex(self._index)
        except self._nvml.NVMLError as error:
            raise _GpuTroubleError(str(error)) from error

    def _ask_constants(self) -> dict[str, Any]:
        nvml, handle = self._nvml, self._handle
        capability = self._ask("capability", lambda: nvml.nvmlDeviceGetCudaComputeCapability(handle))
        return {
            "uuid": self._ask("uuid", lambda: _text(nvml.nvmlDeviceGetUUID(handle))),
            "name": self._ask("name", lambda: _text(nvml.nvmlDeviceGetName(handle))),
            "compute_capability": None if capability is None else "{}.{}".format(*capability),
            "power_limit": self._ask("power limit", lambda: nvml.nvmlDeviceGetEnforcedPowerLimit(handle) / 1000),
        }

    def _memory(self) -> tuple[int | None, int | None]:
        """Used and total bytes. The first version counts what the driver keeps for itself as used, the second not."""
        nvml, handle = self._nvml, self._handle
        memory = self._ask("memory v2", lambda: nvml.nvmlDeviceGetMemoryInfo(handle, version=nvml.nvmlMemory_v2))
        if memory is None:
            memory = self._ask("memory", lambda: nvml.nvmlDeviceGetMemoryInfo(handle))
        return (None, None) if memory is None else (int(memory.used), int(memory.total))

    def _process_list(self, now: float, ours: Collection[int]) -> tuple[GpuProcess, ...] | None:
        if now >= self._processes_due:
            self._processes_due = now + PROCESSES_EVERY_S
            self._processes = self._ask_processes()
        if self._processes is None:
            return None
        return tuple(GpuProcess(pid, memory, pid in ours) for pid, memory in self._processes)

    def _ask_processes(self) -> list[tuple[int, int | None]] | None:
        nvml, handle = self._nvml, self._handle
        found = self._ask("processes", lambda: nvml.nvmlDeviceGetComputeRunningProcesses_v3(handle))
        if found is None:  # drivers before 510
            found = self._ask("processes v2", lambda: nvml.nvmlDeviceGetComputeRunningProcesses_v2(handle))
        return None if found is None else [(p.pid, p.usedGpuMemory) for p in found]

    def _ask(self, what: str, call: Callable[[], ValueT]) -> ValueT | None:
        """Make one call; `None` where the driver has no answer to it.

        Raises:
            _GpuTroubleError: the GPU itself is lost or needs a reset.
        """
        if what in self._unsupported:
            return None
        nvml = self._nvml
        try:
            return call()
        except nvml.NVMLError as error:
            if error.value in (nvml.NVML_ERROR_GPU_IS_LOST, nvml.NVML_ERROR_RESET_REQUIRED):
                raise _GpuTroubleError(str(error)) from error
            if error.value in (
                nvml.NVML_ERROR_NOT_SUPPORTED,
                nvml.NVML_ERROR_FUNCTION_NOT_FOUND,
                nvml.NVML_ERROR_ARGUMENT_VERSION_MISMATCH,
            ):
                self._unsupported.add(what)
            return None


def _answer(nvml: ModuleType, call: Callable[[], ValueT]) -> ValueT | None:
    try:
        return call()
    except nvml.NVMLError:
        return None


def _why_missing(nvml: ModuleType, error: Any) -> str:
    words = {
        nvml.NVML_ERROR_LIBRARY_NOT_FOUND: NO_DRIVER,
        nvml.NVML_ERROR_DRIVER_NOT_LOADED: "NVIDIA driver installed, but not loaded",
        nvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH: "NVIDIA driver and its library differ in version: reboot is needed",
        nvml.NVML_ERROR_NO_PERMISSION: "no permission to ask the NVIDIA driver",
        nvml.NVML_ERROR_GPU_NOT_FOUND: NO_DEVICE,
    }
    return words.get(error.value, f"NVIDIA driver does not answer: {error}")


def _text(value: str | bytes) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
