"""What does one GPU, or a MIG slice of it, say? Each call is caught by itself; what it cannot say it is asked once."""

from __future__ import annotations

from collections.abc import Callable, Collection
from types import ModuleType
from typing import Any, NamedTuple, TypeVar

from lightning_tui.gpus.nvml import answer, as_text
from lightning_tui.gpus.owners import ProcessNames
from lightning_tui.record.samples import GpuProcess, GpuSample

ValueT = TypeVar("ValueT")

RETRY_S = 30.0
"""How long a lost GPU is left alone, and how often the MIG slices are counted again."""

SLOW_EVERY_S = 5.0
"""Processes, throttling, memory errors and clocks: lists and totals cost the driver more than a sensor does, and nobody
acts on them within a second."""

_THROTTLES = {
    0x4: "power cap",
    0x8: "hardware slowdown",
    0x20: "heat",
    0x40: "heat (hardware)",
    0x80: "power brake",
}
"""Bits of nvmlClocksEventReason that hold a busy GPU back against its owner's wish: the others (idle, clocks that a
person set, sync boost) are no trouble."""


class _GpuTroubleError(Exception):
    """This GPU gives nothing at present; the message says why."""


class _SlowFacts(NamedTuple):
    """What is asked seldom. Processes are pid and bytes."""

    clock: float | None = None
    throttled: tuple[str, ...] | None = None
    ecc_errors: int | None = None
    processes: tuple[tuple[int, int | None], ...] | None = None


_NOTHING_ASKED = _SlowFacts()


class Device:
    """One GPU or MIG slice: constants are asked once, what it does not support is never asked again."""

    def __init__(self, nvml: ModuleType, index: int, mig: int | None = None, parent: Device | None = None) -> None:
        self.index = index
        self.mig = mig
        self._nvml = nvml
        self._parent = parent
        self._handle: Any = None
        self._unsupported: set[str] = set()
        self._constants: dict[str, Any] = {}
        self._slow = _NOTHING_ASKED
        self._slow_due = 0.0
        self._processes: tuple[GpuProcess, ...] | None = None
        self._named_for: tuple[_SlowFacts, Collection[int]] = (_NOTHING_ASKED, ())
        self._trouble: str | None = None
        self._retry_at = 0.0
        self._slices: dict[tuple[int, str | None], Device] = {}
        self._slices_due = 0.0

    def handle(self) -> Any:
        """NVML's handle; `None` while the GPU gives none."""
        return self._handle or answer(self._nvml, self._find_handle)

    def sample(self, now: float, names: ProcessNames, ours: Collection[int], *, is_thorough: bool = False) -> GpuSample:
        """Look once; a thorough look asks the slow facts whether they are due or not."""
        if self._trouble is None or now >= self._retry_at:
            try:
                readings = self._readings(now, is_thorough)
                self._trouble = None
                processes = self._name_processes(names, ours)
                return GpuSample(index=self.index, mig=self.mig, **self._constants, **readings, processes=processes)
            except _GpuTroubleError as trouble:
                self._trouble, self._retry_at, self._handle = str(trouble), now + RETRY_S, None
        return GpuSample(index=self.index, mig=self.mig, **self._constants, error=self._trouble)

    def slices(self, now: float) -> list[Device]:
        """MIG slices of this GPU, in their order; looked for now and then, since they come and go."""
        if self._trouble is None and now >= self._slices_due:
            self._slices_due = now + RETRY_S
            known, found = self._slices, self._find_slices()
            self._slices = {key: known.get(key) or Device(self._nvml, self.index, key[0], self) for key in found}
        return list(self._slices.values())

    def _find_slices(self) -> list[tuple[int, str | None]]:
        """Place and uuid of each: a place may be given to another slice."""
        nvml, handle = self._nvml, self._handle
        try:
            mode = self._query("mig", nvml.nvmlDeviceGetMigMode, handle)
            if mode is None or mode[0] != nvml.NVML_DEVICE_MIG_ENABLE:
                return []
            most = self._query("mig count", nvml.nvmlDeviceGetMaxMigDeviceCount, handle) or 0
        except _GpuTroubleError:
            return []
        handles = ((mig, answer(nvml, nvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, mig)) for mig in range(most))
        return [(mig, answer(nvml, nvml.nvmlDeviceGetUUID, found)) for mig, found in handles if found is not None]

    def _readings(self, now: float, is_thorough: bool) -> dict[str, Any]:
        if self._handle is None:
            self._handle = self._open()
            self._constants = self._ask_constants()
            self._slow_due = now
        if is_thorough or now >= self._slow_due:
            self._slow_due = now + SLOW_EVERY_S
            self._slow = self._ask_slow_facts()
        nvml, handle, slow = self._nvml, self._handle, self._slow
        used, total = self._memory()
        rates = self._query("utilization", nvml.nvmlDeviceGetUtilizationRates, handle)
        return {
            "memory_used": used,
            "memory_total": total,
            "utilization": None if rates is None else rates.gpu,
            "temperature": self._query("temperature", nvml.nvmlDeviceGetTemperature, handle, nvml.NVML_TEMPERATURE_GPU),
            "power": _watts(self._query("power", nvml.nvmlDeviceGetPowerUsage, handle)),
            "clock": slow.clock,
            "throttled": slow.throttled,
            "ecc_errors": slow.ecc_errors,
        }

    def _open(self) -> Any:
        try:
            return self._find_handle()
        except self._nvml.NVMLError as error:
            raise _GpuTroubleError(str(error)) from error

    def _find_handle(self) -> Any:
        if self._parent is None:
            return self._nvml.nvmlDeviceGetHandleByIndex(self.index)
        return self._nvml.nvmlDeviceGetMigDeviceHandleByIndex(self._parent.handle(), self.mig)

    def _ask_constants(self) -> dict[str, Any]:
        nvml, handle = self._nvml, self._handle
        capability = self._query("capability", nvml.nvmlDeviceGetCudaComputeCapability, handle)
        name = self._query("name", nvml.nvmlDeviceGetName, handle)
        uuid = self._query("uuid", nvml.nvmlDeviceGetUUID, handle)
        return {
            "uuid": None if uuid is None else as_text(uuid),
            "name": None if name is None else as_text(name),
            "compute_capability": None if capability is None else "{}.{}".format(*capability),
            "power_limit": _watts(self._query("limit", nvml.nvmlDeviceGetEnforcedPowerLimit, handle)),
            "clock_limit": self._query("clock limit", nvml.nvmlDeviceGetMaxClockInfo, handle, nvml.NVML_CLOCK_SM),
        }

    def _ask_slow_facts(self) -> _SlowFacts:
        nvml, handle = self._nvml, self._handle
        reasons = self._query("throttle", nvml.nvmlDeviceGetCurrentClocksEventReasons, handle)
        if reasons is None:  # drivers before 535
            reasons = self._query("throttle v1", nvml.nvmlDeviceGetCurrentClocksThrottleReasons, handle)
        kind = nvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, nvml.NVML_VOLATILE_ECC
        return _SlowFacts(
            clock=self._query("clock", nvml.nvmlDeviceGetClockInfo, handle, nvml.NVML_CLOCK_SM),
            throttled=None if reasons is None else tuple(word for bit, word in _THROTTLES.items() if reasons & bit),
            ecc_errors=self._query("ecc", nvml.nvmlDeviceGetTotalEccErrors, handle, *kind),
            processes=self._ask_processes(),
        )

    def _memory(self) -> tuple[int | None, int | None]:
        """Used and total bytes. The first version counts what the driver keeps for itself as used, the second not."""
        nvml, handle = self._nvml, self._handle
        memory = self._query("memory v2", nvml.nvmlDeviceGetMemoryInfo, handle, nvml.nvmlMemory_v2)
        if memory is None:
            memory = self._query("memory", nvml.nvmlDeviceGetMemoryInfo, handle)
        return (None, None) if memory is None else (int(memory.used), int(memory.total))

    def _ask_processes(self) -> tuple[tuple[int, int | None], ...] | None:
        nvml, handle = self._nvml, self._handle
        found = self._query("processes", nvml.nvmlDeviceGetComputeRunningProcesses_v3, handle)
        if found is None:  # drivers before 510
            found = self._query("processes v2", nvml.nvmlDeviceGetComputeRunningProcesses_v2, handle)
        return None if found is None else tuple((process.pid, process.usedGpuMemory) for process in found)

    def _name_processes(self, names: ProcessNames, ours: Collection[int]) -> tuple[GpuProcess, ...] | None:
        """Say whose they are, anew only where either the list or the run's processes have changed."""
        found = self._slow.processes
        if found is None:
            return None
        slow, named_for = self._named_for
        if self._processes is None or slow is not self._slow or named_for != ours:
            self._named_for = self._slow, ours
            self._processes = tuple(names.identify(pid, memory, ours) for pid, memory in found)
        return self._processes

    def _query(self, what: str, call: Callable[..., ValueT], *arguments: Any) -> ValueT | None:
        """Make one call; `None` where the driver has no answer to it.

        Raises:
            _GpuTroubleError: the GPU itself is lost or needs a reset.
        """
        if what in self._unsupported:
            return None
        nvml = self._nvml
        try:
            return call(*arguments)
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


def _watts(milliwatts: int | None) -> float | None:
    return None if milliwatts is None else round(milliwatts / 1000, 1)
