"""One whole look at this machine and at a made-up one, as JSON in the documented shape and as lines for people."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from lightning_tui.environment import Software, as_json, as_text, inspect_environment, probe_software, with_software
from lightning_tui.gpus import DriverFacts, GpuLink, GpuProcess
from tests.environment.machines import FakeGpus, gpu

SOFTWARE = Software(
    interpreter="/venv/bin/python", python="3.12.1", torch="2.13.0", torch_build="cpu", lightning="2.6.3"
)


GPUS = (gpu(processes=(GpuProcess(pid=7, memory=1),)),)


def test_json_has_the_documented_shape(tmp_path: Path) -> None:
    environ = {
        "TERM": "xterm",
        "LIGHTNING_CLOUD_SPACE_ID": "s",
        "LIGHTNING_INTERACTIVE": "true",
        "LIGHTNING_API_KEY": "hidden-secret",
    }
    environment = inspect_environment(
        environ,
        runs_home=tmp_path / "runs",
        folder=tmp_path,
        root=tmp_path,
        reader=FakeGpus(GPUS),
    )
    report = as_json(with_software(environment, SOFTWARE))
    assert report == json.loads(json.dumps(report))
    assert set(report) >= {"platform", "host", "gpus", "software", "storage", "findings"}
    assert set(report["platform"]) == {"family", "kind", "evidence", "facets"}
    assert report["platform"]["family"] == "lightning_cloud"
    assert set(report["platform"]["evidence"][0]) == {"name", "value"}
    assert report["host"]["memory_total"] is None
    assert report["gpus"][0]["name"] == "NVIDIA L40S"
    assert report["gpus"][0]["processes"] is None
    assert report["software"]["deepspeed"] is None
    assert set(report["storage"]) >= {"runs_home", "folder", "persistent", "checkpoints", "data"}
    assert [finding["id"] for finding in report["findings"]] == ["compromised-lightning", "cpu-torch"]
    assert set(report["findings"][0]) == {"id", "severity", "title", "detail", "remedy"}
    assert "hidden-secret" not in json.dumps(report)


def test_lines_for_people_end_with_the_findings_and_their_remedies(tmp_path: Path) -> None:
    links = (GpuLink(0, 1, "NV4", True), GpuLink(0, 2, "NV4", True), GpuLink(1, 2, "SYS"))
    environment = inspect_environment(
        {"CUDA_VISIBLE_DEVICES": "0,5", "TERM": "xterm"},
        runs_home=tmp_path,
        folder=tmp_path,
        root=tmp_path,
        reader=FakeGpus(GPUS, DriverFacts(driver="580.65.06", cuda="13.0", links=links)),
    )
    lines = as_text(with_software(environment, SOFTWARE))
    assert lines[0] == "Platform     local machine · lightning_local"
    assert "GPUs         0 NVIDIA L40S · 48 GiB · compute 8.9" in lines
    assert "Driver       580.65.06 · CUDA up to 13.0" in lines
    assert "Links        NV4 with peer access: 0-1 0-2" in lines
    assert "             SYS: 1-2" in lines
    assert "Visible      CUDA_VISIBLE_DEVICES=0,5" in lines
    assert "             0 -> GPU 0" in lines
    assert "             5 -> no GPU · only 1 GPU here" in lines
    assert "Memory       N/A available of N/A" in lines
    assert "torch        2.13.0 · cpu" in lines
    blank = lines.index("")
    assert lines[blank + 1] == "✖ error: lightning 2.6.3 is a compromised release"
    assert lines[blank + 3].startswith("    → Do not import it.")


def test_lines_are_wrapped_to_a_width_without_losing_a_word(tmp_path: Path) -> None:
    environment = with_software(
        inspect_environment({"TERM": "xterm"}, runs_home=tmp_path, folder=tmp_path, root=tmp_path, reader=FakeGpus()),
        SOFTWARE,
    )
    wide, narrow = as_text(environment), as_text(environment, 60)
    assert " ".join(" ".join(narrow).split()) == " ".join(" ".join(wide).split())
    assert all(len(line) <= 60 or " " not in line[13:] for line in narrow)
    labelled = [line for line in narrow if line and not line.startswith((" ", "✖", "▲", "·", "✔"))]
    assert all(line[12] == " " != line[13] for line in labelled)


def test_names_cannot_steer_the_terminal(tmp_path: Path) -> None:
    environ = {"TERM": "xterm", "USER": "\x1b[31mada", "CUDA_VISIBLE_DEVICES": "\x1b[2J"}
    environment = inspect_environment(environ, runs_home=tmp_path, folder=tmp_path, root=tmp_path, reader=FakeGpus())
    assert all(line.isprintable() for line in as_text(environment))


def test_a_machine_without_gpus_says_why(tmp_path: Path) -> None:
    environment = inspect_environment(
        {"TERM": "xterm"}, runs_home=tmp_path, folder=tmp_path, root=tmp_path, reader=FakeGpus()
    )
    lines = as_text(environment)
    assert "GPUs         NVIDIA driver loaded, but it has no device" in lines
    assert lines[-1] == "✔ no problems found"
    assert as_json(environment)["software"] is None


def test_this_machine(tmp_path: Path) -> None:
    environment = inspect_environment(os.environ, runs_home=tmp_path, folder=Path.cwd())
    environment = with_software(environment, probe_software(Path(sys.executable)))
    report = as_json(environment)
    assert report == json.loads(json.dumps(report))
    assert environment.storage.runs_home.medium is not None
    assert all(line.isprintable() for line in as_text(environment))
