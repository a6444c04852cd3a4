"""What an interpreter has installed: the real one here, made-up packages, and interpreters that cannot be asked."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

import pytest

from lightning_tui.environment import Software, probe_software


def install(site: Path, name: str, version: str) -> None:
    """Make up a package that is there by its metadata alone."""
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def install_torch(site: Path, build: str) -> None:
    install(site, "torch", "9.9.9")
    (site / "torch").mkdir()
    (site / "torch" / "version.py").write_text(build)


def make_interpreter(path: Path, body: str) -> Path:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o700)
    return path


def test_this_interpreter() -> None:
    software = probe_software(Path(sys.executable))
    assert software.error is None
    assert software.python == "{}.{}.{}".format(*sys.version_info[:3])
    assert software.torch == metadata.version("torch")
    assert software.lightning == metadata.version("lightning")
    assert software.pytorch_lightning == metadata.version("pytorch-lightning")
    assert software.torchmetrics == metadata.version("torchmetrics")
    installed = {distribution.name for distribution in metadata.distributions()}
    assert software.deepspeed == (metadata.version("deepspeed") if "deepspeed" in installed else None)


@pytest.mark.parametrize(
    ("text", "build"),
    [
        ("cuda: Optional[str] = '13.0'\nhip: Optional[str] = None\n", "cu130"),
        ('cuda = "12.4"\n', "cu124"),
        ("cuda: Optional[str] = None\nhip: Optional[str] = '6.4.43482-0f2d60242'\n", "rocm6.4"),
        ("cuda: Optional[str] = None\nhip: Optional[str] = None\n", "cpu"),
    ],
)
def test_what_torch_was_built_for_is_read_and_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, build: str
) -> None:
    install_torch(tmp_path, text + "raise SystemExit('imported')\n")
    install(tmp_path, "deepspeed", "0.17.1")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    software = probe_software(Path(sys.executable))
    assert (software.torch, software.torch_build, software.deepspeed) == ("9.9.9", build, "0.17.1")


@pytest.mark.parametrize(
    ("library", "architectures"),
    [
        (
            b"\0x.sm_carveout\0 of ipc_hsm_70 sm_75 sm_90a compute_90\0\0/torch\0",
            ("sm_70", "sm_75", "sm_90a", "compute_90"),
        ),
        (b"\0sm_90\0", ("sm_90",)),
        (b"nothing of the kind\0", None),
        (b"", None),
        (None, None),
    ],
)
def test_architectures_are_read_from_torchs_library(
    library: bytes | None, architectures: tuple[str, ...] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_torch(tmp_path, "cuda: Optional[str] = '12.8'\n")
    if library is not None:
        (tmp_path / "torch/lib").mkdir()
        (tmp_path / "torch/lib/libtorch_python.so").write_bytes(library)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    software = probe_software(Path(sys.executable))
    assert (software.torch_cuda, software.torch_architectures) == ("12.8", architectures)


def test_modules_in_the_current_folder_are_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('shadowed')\n")
    monkeypatch.chdir(tmp_path)
    assert probe_software(Path(sys.executable)).error is None


def test_what_an_interpreter_prints_at_its_start_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('{\"torch\": 1}', end='')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert probe_software(Path(sys.executable)).python is not None


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("echo 'bad \x1b[31mcolour' >&2; exit 3", "bad colour"),
        ("exit 4", "it ended with 4"),
        ("echo hello", "it gave no answer"),
        ("echo 'lightning-tui-probe:{'", "its answer cannot be read"),
        ("echo 'lightning-tui-probe:[1]'", "its answer cannot be read"),
    ],
)
def test_an_interpreter_that_gives_no_answer_becomes_a_reason(tmp_path: Path, body: str, reason: str) -> None:
    software = probe_software(make_interpreter(tmp_path / "python", body))
    assert software == Software(interpreter=str(tmp_path / "python"), error=reason)


def test_an_interpreter_that_hangs_is_given_up(tmp_path: Path) -> None:
    software = probe_software(make_interpreter(tmp_path / "python", "exec sleep 60"), timeout_s=0.2)
    assert software.error == "it did not answer within 0.2 s"


def test_an_interpreter_that_is_not_there(tmp_path: Path) -> None:
    assert probe_software(tmp_path / "python").error == "No such file or directory"
