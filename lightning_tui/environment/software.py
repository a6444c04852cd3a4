"""What has the program's interpreter installed? Asked of it by its packages' metadata; nothing is imported."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import msgspec

from lightning_tui.environment.model import Software
from lightning_tui.text.safe import harmless

PROBE_TIMEOUT_S = 20.0
"""Far more than the usual tenth of a second: a cold network file system takes its time."""

PACKAGES = (
    "torch",
    "lightning",
    "pytorch-lightning",
    "deepspeed",
    "bitsandbytes",
    "transformer-engine",
    "torchmetrics",
)

_MARK = "lightning-tui-probe:"

# The current folder is not on the path of a script, and modules in it could shadow the standard library's.
# The architectures stand as one string in torch's compiled Python module: importing torch to ask takes seconds.
_PROBE = """
import sys
sys.path[:] = [entry for entry in sys.path if entry]
import json, mmap, re
from importlib import metadata
def torch_build(package):
    try:
        with open(str(package.locate_file("torch/version.py")), encoding="utf-8") as file:
            built = dict(re.findall(r"^(cuda|hip)\\b[^=]*= *['\\"]([^'\\"]+)", file.read(), re.M))
    except OSError:
        return {}
    if "cuda" in built:
        cuda = {"torch_build": "cu" + "".join(built["cuda"].split(".")[:2]), "torch_cuda": built["cuda"]}
        return dict(cuda, torch_architectures=architectures(package))
    return {"torch_build": "rocm" + ".".join(built["hip"].split(".")[:2]) if "hip" in built else "cpu"}
def architectures(package):
    names = re.compile(rb"((?:sm|compute)_[0-9]+[af]?(?: (?:sm|compute)_[0-9]+[af]?)*)\\0")
    found, place = [], 0
    try:
        with open(str(package.locate_file("torch/lib/libtorch_python.so")), "rb") as file:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as library:
                while True:
                    place = library.find(b"sm_", place)
                    if place < 0:
                        break
                    found += names.findall(library[place:place + 1000].partition(b"\\0")[0] + b"\\0")[:1]
                    place += 3
    except (OSError, ValueError):
        return None
    return max(found, key=len).decode() if found else None
found = {"python": "%d.%d.%d" % sys.version_info[:3]}
for name in NAMES:
    try:
        package = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        continue
    found[name] = package.version
    if name == "torch":
        found.update(torch_build(package))
print("\\n" + MARK + json.dumps(found))
"""


def probe_software(interpreter: Path, timeout_s: float = PROBE_TIMEOUT_S) -> Software:
    """Ask an interpreter in a child process; where that fails, the answer says why instead of raising."""
    script = f"NAMES = {PACKAGES!r}; MARK = {_MARK!r}\n{_PROBE}"
    try:
        done = run_script(interpreter, script, timeout_s)
    except subprocess.TimeoutExpired:
        return _failed(interpreter, f"it did not answer within {timeout_s:g} s")
    except OSError as error:
        return _failed(interpreter, error.strerror or str(error))
    if done.returncode != 0:
        return _failed(interpreter, _last_line(done.stderr) or f"it ended with {done.returncode}")
    return _understand(interpreter, done.stdout)


def run_script(interpreter: Path, script: str, timeout_s: float) -> subprocess.CompletedProcess[bytes]:
    """Run a script in an interpreter, away from the current folder's modules, and return what it printed.

    Raises:
        OSError: the interpreter cannot be started.
        subprocess.TimeoutExpired: it took longer.
    """
    command = [str(interpreter), "-c", script]
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s, cwd="/", check=False
    )


def _understand(interpreter: Path, output: bytes) -> Software:
    """Take the marked line: what an interpreter's own start-up prints comes before it."""
    _, mark, answer = output.decode(errors="replace").rpartition(_MARK)
    try:
        found = msgspec.json.decode(answer, type=dict[str, str | None])
    except msgspec.DecodeError:
        return _failed(interpreter, "its answer cannot be read" if mark else "it gave no answer")
    known: dict[str, Any] = {name.replace("-", "_"): version for name, version in found.items()}
    if architectures := known.get("torch_architectures"):
        known["torch_architectures"] = architectures.split()
    return msgspec.convert(known | {"interpreter": str(interpreter)}, Software)


def _failed(interpreter: Path, reason: str) -> Software:
    return Software(interpreter=str(interpreter), error=reason)


def _last_line(output: bytes) -> str:
    lines = output.decode(errors="replace").strip().splitlines()
    return harmless(lines[-1])[:200] if lines else ""
