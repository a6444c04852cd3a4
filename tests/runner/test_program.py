"""A program under the shim finds the Python that it would find without it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lightning_tui import runner
from tests.conftest import wait_until

from .running import command, environment, make_run, run

DUMP = """\
'''A docstring of its own.'''
import json, os, sys, multiprocessing, pickle
class Here: pass
main = sys.modules["__main__"]
facts = {
    "argv": sys.argv,
    "path": sys.path,
    "names": sorted(n for n in main.__dict__ if n.startswith("__")),
    "file": main.__dict__.get("__file__"),
    "cached": repr(main.__dict__.get("__cached__")),
    "doc": main.__doc__,
    "package": main.__package__,
    "spec": getattr(main.__spec__, "name", None),
    "origin": getattr(main.__spec__, "origin", None),
    "loader": type(main.__loader__).__name__,
    "builtins": type(main.__builtins__).__name__,
    "is main": main.__dict__ is globals(),
    "picklable": pickle.loads(pickle.dumps(Here)) is Here,
    "cwd": os.getcwd(),
    "ours": sorted(name for name in sys.modules if name.startswith("lightning_tui")),
    "heavy": sorted({"torch", "lightning", "numpy"} & set(sys.modules)),
}
try:
    import lightning_tui
    facts["importable"] = True
except ImportError:
    facts["importable"] = False
print(json.dumps(facts))
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "place"
    package = folder / "sub" / "pkg"
    package.mkdir(parents=True)
    (folder / "script.py").write_text(DUMP)
    (folder / "sub" / "inner.py").write_text(DUMP)
    (folder / "link.py").symlink_to("sub/inner.py")
    (folder / "module.py").write_text(DUMP)
    for name in ("__init__", "__main__", "part"):
        (package / f"{name}.py").write_text(DUMP if name != "__init__" else "")
    (folder / "app").mkdir()
    (folder / "app" / "__main__.py").write_text(DUMP)
    return folder


FORMS = {
    "script": ["script.py", "--lr", "1"],
    "dotted script": ["./script.py"],
    "roundabout script": ["sub/../script.py", "--", "-m", "x"],
    "script elsewhere": ["sub/inner.py"],
    "link": ["link.py", ""],
    "module": ["-m", "module", "a b"],
    "module without space": ["-mmodule"],
    "package": ["-m", "sub.pkg", "--flag"],
    "part of a package": ["-m", "sub.pkg.part"],
    "folder": ["app", "x"],
}


@pytest.mark.parametrize("form", FORMS)
def test_a_program_sees_what_it_would_see(form: str, place: Path) -> None:
    bare = facts_of([sys.executable, *FORMS[form]], place)
    directory = make_run(place)
    ours = facts_of(command(FORMS[form]), place, environment(directory))
    runner_folder = str(Path(runner.__file__).parent)
    assert ours.pop("path") == [*bare.pop("path"), runner_folder]
    packages = [path.name for path in Path(runner_folder).iterdir() if (path / "__init__.py").exists()]
    assert packages == ["lightning_tui_runner"], "nothing else becomes importable through our folder"
    brought = ours.pop("ours")
    assert "lightning_tui" not in brought
    assert brought
    assert all(name.startswith("lightning_tui_runner") for name in brought)
    bare.pop("ours")
    assert ours == bare
    assert ours["heavy"] == []


def facts_of(words: list[str], place: Path, env: dict[str, str] | None = None) -> dict[str, Any]:
    done = run(words, cwd=place, env=env)
    assert done.returncode == 0, done.stderr
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


FAILURES = {
    "uncaught": "def f():\n    1 / 0\nf()\n",
    "chained": "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise ValueError('worse') from e\n",
    "syntax": "def f(:\n",
    "import": "import module_with_a_fault\n",
    "missing import": "import there_is_no_such_module\n",
    "own hook": "import sys\nsys.excepthook = lambda t, v, tb: print(v, tb.tb_lineno, file=sys.stderr)\n1 / 0\n",
    "exit code": "import sys\nsys.exit(7)\n",
    "exit text": "import sys\nsys.exit('cannot go on')\n",
    "negative exit": "import sys\nsys.exit(-1)\n",
    "interrupt": "raise KeyboardInterrupt\n",
    "hard exit": "import os\nos._exit(9)\n",
    "own signal": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n",
}


@pytest.mark.parametrize("in_run", [False, True], ids=["inert", "in a run"])
@pytest.mark.parametrize("failure", FAILURES)
def test_a_program_fails_as_it_would_fail(failure: str, in_run: bool, tmp_path: Path) -> None:
    (tmp_path / "fails.py").write_text(FAILURES[failure])
    (tmp_path / "module_with_a_fault.py").write_text("x = 1\nraise RuntimeError('fault')\n")
    env = environment(make_run(tmp_path) if in_run else None)
    for words in (["fails.py"], ["-m", "fails"]):
        bare = run([sys.executable, *words], cwd=tmp_path)
        ours = run(command(words), cwd=tmp_path, env=env)
        assert ours.stderr == bare.stderr
        assert (ours.returncode, ours.stdout) == (bare.returncode, bare.stdout)


@pytest.mark.parametrize("words", [["missing.py"], ["-m", "missing"], ["-m"], ["empty"]], ids=" ".join)
def test_a_program_that_is_not_there_is_refused_as_python_does(words: list[str], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    bare = run([sys.executable, *words], cwd=tmp_path)
    ours = run(command(words), cwd=tmp_path)
    assert ours.returncode == bare.returncode
    assert ours.stderr.splitlines()[0] == bare.stderr.splitlines()[0]


def test_without_a_run_the_shim_does_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "look.py").write_text(
        "import sys, signal\n"
        "print([type(f).__name__ for f in sys.meta_path if 'Patching' in type(f).__name__])\n"
        "print(sorted(n for n in sys.modules if n.startswith('lightning_tui_runner.')))\n"
    )
    done = run(command(["look.py"]), cwd=tmp_path)
    found, modules = done.stdout.splitlines()
    assert found == "[]"
    assert set(json.loads(modules.replace("'", '"'))) <= {
        f"lightning_tui_runner.{name}"
        for name in ("start", "process", "process.program", "process.tracebacks", "process.place")
    }
    assert list(tmp_path.iterdir()) == [tmp_path / "look.py"]


@pytest.mark.parametrize("arguments", [[], ["train.py"], ["--"], ["--other", "--", "x"]])
def test_a_wrong_command_line_is_refused(arguments: list[str], tmp_path: Path) -> None:
    shim = command([])[1]
    done = run([sys.executable, shim, *arguments], cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: ")


def test_ctrl_c_works_where_it_was_ignored(tmp_path: Path) -> None:
    (tmp_path / "waits.py").write_text("import time\nprint('ready', flush=True)\ntime.sleep(60)\n")
    words = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *command(["waits.py"])]
    process = subprocess.Popen(
        words,
        cwd=tmp_path,
        env=environment(make_run(tmp_path)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT
    assert errors.endswith("KeyboardInterrupt\n")


def test_a_rank_dies_with_its_parent(tmp_path: Path) -> None:
    (tmp_path / "waits.py").write_text("import time\nprint('ready', flush=True)\ntime.sleep(60)\n")
    directory = make_run(tmp_path)
    (tmp_path / "parent.py").write_text(
        "import os, subprocess, sys\n"
        "child = subprocess.Popen(sys.argv[1:2] + [sys.argv[2], '--parent', str(os.getpid()), '--', 'waits.py'])\n"
        "print(child.pid, flush=True)\n"
        "child.wait()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "parent.py", *command([])[:2]],
        cwd=tmp_path,
        env=environment(directory, {"LOCAL_RANK": "1"}),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    wait_until(lambda: directory.output(0, 1).exists() and "ready" in directory.output(0, 1).read_text())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_until(lambda: not is_alive(child), what="the end of the rank")


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
