"""Made-up machines: a folder that stands for the root of a file system, and a fake driver."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from lightning_tui.gpus import DriverFacts, GpuReader, GpuSample
from lightning_tui.gpus.absence import why_no_device

GIB = 1 << 30


class FakeGpus(GpuReader):
    """A made-up driver with these GPUs, or the reason why there are none."""

    def __init__(
        self,
        gpus: Sequence[GpuSample] = (),
        driver: DriverFacts | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        self._given_environ = environ or {}
        self._given = tuple(gpus)
        self._driver = driver or DriverFacts()

    def read(self, ours: Collection[int] = (), *, is_thorough: bool = False) -> tuple[GpuSample, ...]:
        self.missing = None if self._given else why_no_device(self._given_environ)
        return self._given

    def driver_facts(self) -> DriverFacts:
        return self._driver


def build_root(root: Path, files: Mapping[str, str]) -> Path:
    """Write files below the root; a name that ends in / is a folder, and {root} in a text is the root itself."""
    root.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("/"):
            path.mkdir(exist_ok=True)
        else:
            path.write_text(text.replace("{root}", str(root)))
    return root


def mount_line(point: str, file_system: str, options: str = "rw") -> str:
    """One line of /proc/self/mountinfo."""
    return f"30 1 0:29 / {point} {options},relatime - {file_system} source {options}\n"


def limits_file(open_files: str = "1048576", processes: str = "96365", locked_memory: str = "8388608") -> str:
    """/proc/self/limits as the kernel writes it."""
    rows = (
        ("Limit", "Soft Limit", "Hard Limit", "Units"),
        ("Max stack size", "8388608", "unlimited", "bytes"),
        ("Max core file size", "0", "unlimited", "bytes"),
        ("Max processes", processes, "96365", "processes"),
        ("Max open files", open_files, "1048576", "files"),
        ("Max locked memory", locked_memory, "unlimited", "bytes"),
    )
    return "".join(f"{name:<26}{soft:<21}{hard:<21}{unit:<10}\n" for name, soft, hard, unit in rows)


def gpu(index: int = 0, name: str = "NVIDIA L40S", capability: str = "8.9", **readings: object) -> GpuSample:
    """One GPU of 48 GiB."""
    values: dict[str, object] = {"uuid": f"GPU-{index}{index}aa-0000", "memory_total": 48 * GIB, **readings}
    return GpuSample(index=index, name=name, compute_capability=capability, **values)  # type: ignore[arg-type]
