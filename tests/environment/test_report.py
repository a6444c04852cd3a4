"""One whole look at this machine and at a made-up one, as JSON in the documented shape and as lines for people."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import msgspec

from lightning_tui.environment import Software, as_json, as_text, inspect_environment, probe_software, with_software
from lightning_tui.gpus import GpuProcess, GpuReader, GpuSample

SOFTWARE = Software(
    interpreter="/venv/bin/python", python="3.12.1", torch="2.13.0", torch_build="cpu", lightning="2.6.3"
)


class FakeGpus(GpuReader):
    """A made-up driver with one GPU."""

    def read(self, ours: object = ()) -> tuple[GpuSample, ...]:
        process = GpuProcess(pid=7, memory=1)
        total = 48 * 2**30
        return (
            GpuSample(index=0, name="NVIDIA L40S", compute_capability="8.9", memory_total=total, processes=(process,)),
        )


def test_json_has_the_documented_shape(tmp_path: Path) -> None:
    environ = {"LIGHTNING_CLOUD_SPACE_ID": "s", "LIGHTNING_INTERACTIVE": "true", "LIGHTNING_API_KEY": "hidden-secret"}
    environment = inspect_environment(
        environ, runs_home=tmp_path / "runs", folder=tmp_path, root=tmp_path, reader=FakeGpus()
    )
    report = as_json(with_software(environment, SOFTWARE))
    assert report == json.loads(json.dumps(report))
    assert set(report) == {"platform", "host", "gpus", "software", "storage", "findings"}
    assert set(report["platform"]) == {"family", "kind", "evidence", "facets"}
    assert report["platform"]["family"] == "lightning_cloud"
    assert set(report["platform"]["evidence"][0]) == {"name", "value"}
    assert report["host"]["memory_total"] is None
    assert report["gpus"][0]["name"] == "NVIDIA L40S"
    assert report["gpus"][0]["processes"] is None
    assert report["software"]["deepspeed"] is None
    assert set(report["storage"]) == {"runs_home", "folder", "persistent"}
    assert [finding["id"] for finding in report["findings"]] == ["compromised-lightning", "cpu-torch"]
    assert set(report["findings"][0]) == {"id", "severity", "title", "detail", "remedy"}
    assert "hidden-secret" not in json.dumps(report)


def test_lines_for_people_end_with_the_findings_and_their_remedies(tmp_path: Path) -> None:
    environment = inspect_environment({}, runs_home=tmp_path, folder=tmp_path, root=tmp_path, reader=FakeGpus())
    environment = msgspec.structs.replace(environment, visible_devices="0")
    lines = as_text(with_software(environment, SOFTWARE))
    assert lines[0] == "Platform    local machine · lightning_local"
    assert "GPUs        0 NVIDIA L40S · 48 GiB · compute 8.9" in lines
    assert "            CUDA_VISIBLE_DEVICES=0" in lines
    assert "Memory      N/A available of N/A" in lines
    assert "torch       2.13.0 · cpu" in lines
    blank = lines.index("")
    assert lines[blank + 1] == "error: lightning 2.6.3 is a compromised release"
    assert lines[blank + 3].startswith("    -> ")


def test_a_machine_without_gpus_says_why(tmp_path: Path) -> None:
    class NoDriver(GpuReader):
        def read(self, ours: object = ()) -> tuple[GpuSample, ...]:
            self.missing = "no NVIDIA driver found"
            return ()

    environment = inspect_environment({}, runs_home=tmp_path, folder=tmp_path, root=tmp_path, reader=NoDriver())
    lines = as_text(environment)
    assert "GPUs        none (no NVIDIA driver found)" in lines
    assert lines[-1] == "No problems found."
    assert as_json(environment)["software"] is None


def test_this_machine(tmp_path: Path) -> None:
    environment = inspect_environment(os.environ, runs_home=tmp_path, folder=Path.cwd())
    environment = with_software(environment, probe_software(Path(sys.executable)))
    report = as_json(environment)
    assert report == json.loads(json.dumps(report))
    assert environment.storage.runs_home.medium is not None
    assert all(line.isprintable() for line in as_text(environment))
