"""What do the GPUs and the host say? Readings as frozen samples; what was not told is `None`, never 0."""

from lightning_tui.gpus.driver import DriverFacts, GpuLink
from lightning_tui.gpus.host import HostReader
from lightning_tui.gpus.patient import PatientReader
from lightning_tui.gpus.reader import GpuReader
from lightning_tui.gpus.sampler import GpuReading, GpuSampler
from lightning_tui.record.samples import GpuProcess, GpuSample

__all__ = [
    "DriverFacts",
    "GpuLink",
    "GpuProcess",
    "GpuReader",
    "GpuReading",
    "GpuSample",
    "GpuSampler",
    "HostReader",
    "PatientReader",
]
