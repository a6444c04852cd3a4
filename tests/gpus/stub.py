"""The stand-in for the library of NVIDIA's driver: built here from C, so that the real nvidia-ml-py can talk to it.

To see GPUs that are not there in any program (the cockpit, `lightning-tui run`, nvitop):

    python -m tests.gpus.stub /tmp/nvml
    export LD_LIBRARY_PATH=/tmp/nvml FAKE_NVML_SCENE=/tmp/nvml/scene

and edit the scene while it runs; `nvml_stub.c` says what may stand in it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

EXAMPLE = {
    "gpus": 8,
    "name": "NVIDIA H100 80GB HBM3",
    "utilization": "35..97",
    "memory": "20000..62000",
    "temperature": "48..79",
    "power": "180..640",
    "throttle.3": 4,
    "switches": 18,
}


def build_stub(folder: Path, *options: str) -> Path:
    """Compile the stand-in into `folder`, which is then what LD_LIBRARY_PATH shall be."""
    source = Path(__file__).with_name("nvml_stub.c")
    command = ["gcc", "-O1", "-shared", "-fPIC", "-Wall", "-Werror", "-Wl,-soname,libnvidia-ml.so.1", *options]
    library = folder / "libnvidia-ml.so.1"
    subprocess.run([*command, "-o", str(library), str(source), "-lpthread"], check=True, timeout=60)
    return folder


def write_scene(path: Path, settings: Mapping[str, object]) -> Path:
    """Write what FAKE_NVML_SCENE shall name. It is replaced at once, so that no call sees half of it."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    return fresh.replace(path)


def _main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    scene = write_scene(build_stub(folder) / "scene", EXAMPLE)
    print(f"export LD_LIBRARY_PATH={folder} FAKE_NVML_SCENE={scene}")


if __name__ == "__main__":
    _main(Path(sys.argv[1]).absolute())
