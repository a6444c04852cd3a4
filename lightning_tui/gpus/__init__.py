"""What do the GPUs and the host say? Readings as frozen samples; what was not told is `None`, never 0."""

from lightning_tui.gpus.host import HostReader
from lightning_tui.gpus.reader import GpuReader
from lightning_tui.record.samples import GpuProcess, GpuSample, HostSample

__all__ = ["GpuProcess", "GpuReader", "GpuSample", "HostReader", "HostSample"]
