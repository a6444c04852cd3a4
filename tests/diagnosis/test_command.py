"""The command `diagnose`, in a child process of its own: a file, a pipe, a run, and what cannot be read."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.cli.command import COMMAND, environ, lightning_tui
from tests.diagnosis.test_engine import OOM


def test_a_file_is_explained_for_people_and_as_json(tmp_path: Path) -> None:
    (tmp_path / "out.log").write_text(f"hello\n{OOM}\n")
    told = lightning_tui("diagnose", "out.log", folder=tmp_path)
    assert told.returncode == 0
    for part in ("(cuda-oom)", "2.00 GiB", "line 2: ", "1. ", "--precision bf16-mixed", "https://"):
        assert part in told.stdout, part
    data = json.loads(lightning_tui("diagnose", "out.log", "--json", folder=tmp_path).stdout)
    assert set(data) == {"diagnoses"}
    first = data["diagnoses"][0]
    assert (first["category"], first["rank"], first["evidence"]["line"]) == ("cuda-oom", None, 2)
    assert {"title", "cause", "suggestions"} <= set(first)
    assert all({"text", "changes"} <= set(suggestion) for suggestion in first["suggestions"])


def test_a_pipe_is_read_and_what_is_neither_file_nor_run_is_refused(tmp_path: Path) -> None:
    command = [*COMMAND, "diagnose", "-", "--json"]
    done = subprocess.run(command, input=b"all is well\n", capture_output=True, env=environ(), check=True, cwd=tmp_path)
    assert json.loads(done.stdout) == {"diagnoses": []}
    refused = lightning_tui("diagnose", "no-such-thing", folder=tmp_path)
    assert refused.returncode == 1
    assert "neither a file nor a run" in refused.stderr
    (tmp_path / "empty.log").touch()
    assert lightning_tui("diagnose", "empty.log", folder=tmp_path).stdout == "The text is empty.\n"
    folder = lightning_tui("diagnose", ".", folder=tmp_path)
    assert (folder.returncode, folder.stdout) == (1, "")
    assert "directory" in folder.stderr


def test_the_newest_run_is_explained_with_its_report(tmp_path: Path) -> None:
    (tmp_path / "boom.py").write_text("values = {}\nvalues['lr']\n")
    assert lightning_tui("run", "--", "boom.py", folder=tmp_path).returncode == 1
    told = lightning_tui("diagnose", folder=tmp_path)
    assert "The program raised KeyError  (user-exception" in told.stdout
    assert f"{tmp_path / 'boom.py'}:2  values['lr']" in told.stdout
    report = lightning_tui("diagnose", "--report", folder=tmp_path)
    assert report.stdout.startswith("Error:\n")
    assert "Full Traceback:" in report.stdout
