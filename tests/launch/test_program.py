"""What a person may type as a program, and what is said where it cannot be run."""

from __future__ import annotations

import os
import zipapp
import zipfile
from pathlib import Path

import pytest

import lightning_tui
from lightning_tui.launch import Program, resolve_program
from lightning_tui.launch.program import ProgramError

DEMO = str(Path(lightning_tui.__file__).parent / "demo" / "train.py")


class Place:
    """A project folder, a virtual environment with an interpreter, and another folder on PATH."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "project"
        self.bin = root / "venv" / "bin"
        self.path = root / "path"
        for folder in (self.folder, self.bin, self.path):
            folder.mkdir(parents=True)
        self.python = self.executable(self.bin / "python", b"\x7fELF\0")
        self.other = self.executable(root / "other" / "python3.12", b"\x7fELF\0")

    def executable(self, path: Path, content: bytes | str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(0o755)
        return path

    def write(self, name: str, content: str = "import lightning\n") -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path

    def resolve(self, *given: str, is_given: bool = False) -> Program:
        return resolve_program(
            given,
            interpreter=self.python,
            interpreter_is_given=is_given,
            folder=self.folder,
            environ={"PATH": str(self.path)},
        )

    def refusal(self, *given: str) -> str:
        with pytest.raises(ProgramError) as refused:
            self.resolve(*given)
        return str(refused.value)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_script_with_its_arguments(place: Place) -> None:
    place.write("train.py")
    assert place.resolve("train.py", "--lr", "3e-4") == Program(
        label="train.py",
        given=["train.py", "--lr", "3e-4"],
        shim_arguments=["train.py", "--lr", "3e-4"],
        folder=place.folder,
        interpreter=place.python,
    )


@pytest.mark.parametrize(
    ("given", "label", "arguments"),
    [
        (["-m", "pkg.train", "--x"], "pkg.train", ["-m", "pkg.train", "--x"]),
        (["sub/train.py"], "train.py", ["sub/train.py"]),
        (["./train.py", "-m"], "train.py", ["./train.py", "-m"]),
        (["run"], "run", ["run"]),
        (["demo", "--size", "tiny"], "gpt-demo", [DEMO, "--size", "tiny"]),
        (["./demo", "a"], "demo", ["./demo", "a"]),
        (["--config", "config.yaml"], "config.yaml", ["--lightning-cli", "fit", "--config", "config.yaml"]),
        (["--config=config.yaml", "--x=1"], "config.yaml", ["--lightning-cli", "fit", "--config=config.yaml", "--x=1"]),
        (["python", "train.py", "a"], "train.py", ["train.py", "a"]),
        (["python3", "-u", "train.py"], "train.py", ["train.py"]),
        (["python", "-m", "pkg.train"], "pkg.train", ["-m", "pkg.train"]),
        (["python", "demo"], "demo", ["demo"]),
    ],
)
def test_forms(place: Place, given: list[str], label: str, arguments: list[str]) -> None:
    for name in ("train.py", "sub/train.py", "run", "demo", "config.yaml"):
        place.write(name)
    program = place.resolve(*given)
    assert (program.label, program.shim_arguments, program.interpreter) == (label, arguments, place.python)
    assert program.given == given


class TestWhatPythonRuns:
    """Archives, folders and compiled files are run as Python itself runs them."""

    def test_a_folder_an_archive_and_a_compiled_file(self, place: Place) -> None:
        place.write("app/__main__.py")
        zipapp.create_archive(place.folder / "app", place.folder / "app.pyz")
        zipapp.create_archive(place.folder / "app", place.folder / "own.pyz", interpreter="/usr/bin/env python3")
        (place.folder / "train.pyc").write_bytes(b"\x6f\r\r\n\0\0\0\0")
        for typed in ("app", "app/", "./app", "app.pyz", "own.pyz", "train.pyc"):
            program = place.resolve(typed, "--lr", "1")
            assert (program.shim_arguments, program.interpreter) == ([typed, "--lr", "1"], place.python)
            assert program.label == Path(typed).name
            assert place.resolve("python", typed).shim_arguments == [typed]

    def test_the_folder_one_stands_in(self, place: Place) -> None:
        place.write("__main__.py")
        program = place.resolve(".")
        assert (program.label, program.shim_arguments) == ("project", ["."])

    def test_an_executable_archive_is_run_by_the_python_that_it_names(self, place: Place) -> None:
        place.write("app/__main__.py")
        command = place.path / "tool"
        zipapp.create_archive(place.folder / "app", command, interpreter=str(place.other))
        program = place.resolve("tool", "train")
        assert (program.shim_arguments, program.interpreter) == ([str(command), "train"], place.other)

    def test_an_archive_or_a_folder_without_a_main_is_refused(self, place: Place) -> None:
        with zipfile.ZipFile(place.folder / "data.zip", "w") as archive:
            archive.writestr("x.csv", "1,2")
        place.write("pkg/__init__.py")
        assert "archive without a __main__.py" in place.refusal("data.zip")
        assert "folder without a __main__.py" in place.refusal("pkg/")

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("train.ipynb", ["notebook", "jupyter nbconvert --to script train.ipynb"]),
            ("config.yaml", ["configuration", "--config config.yaml"]),
            ("CONFIG.YML", ["configuration", "--config CONFIG.YML"]),
            ("args.json", ["configuration", "--config args.json"]),
            ("plan.toml", ["configuration", "--config plan.toml", "--plan plan.toml"]),
        ],
    )
    def test_what_is_no_program_is_refused_with_the_way_out(self, place: Place, name: str, words: list[str]) -> None:
        place.write(name, "{}\n")
        for given in ([name], ["python", name]):
            message = place.refusal(*given)
            assert [word for word in words if word not in message] == []


class TestTypedVariables:
    """`A=1 train.py`, as one types it for a shell."""

    @pytest.mark.parametrize("before", [[], ["env"]])
    def test_they_are_the_programs_environment(self, place: Place, before: list[str]) -> None:
        place.write("train.py")
        given = [*before, "A=1", "B=x=y", "C=", "python", "train.py", "D=2"]
        program = place.resolve(*given)
        assert program.environment == {"A": "1", "B": "x=y", "C": ""}
        assert (program.shim_arguments, program.given) == (["train.py", "D=2"], given)

    def test_the_path_that_is_typed_is_searched(self, place: Place) -> None:
        place.executable(place.path / "further" / "tool", f"#!{place.other}\n")
        assert place.resolve(f"PATH={place.path}/further", "tool").interpreter == place.other

    def test_a_file_of_such_a_name_is_a_program(self, place: Place) -> None:
        place.write("lr=1.py")
        assert place.resolve("lr=1.py").environment == {}

    def test_variables_alone_are_no_program(self, place: Place) -> None:
        assert "No program" in place.refusal("A=1")


def test_the_demo_is_built_in_even_beside_a_folder_of_that_name(place: Place) -> None:
    (place.folder / "demo").mkdir()
    assert place.resolve("demo").shim_arguments == [DEMO]
    assert Path(DEMO).is_file()


def test_a_home_path_is_expanded(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.write("train.py")
    monkeypatch.setenv("HOME", str(place.folder))
    assert place.resolve("~/train.py").shim_arguments == [str(place.folder / "train.py")]
    assert "~nobody-here/train.py" in place.refusal("~nobody-here/train.py")


class TestTypedInterpreter:
    """A `python` before the program is forgiven; an explicit one is used."""

    def test_an_explicit_path_is_used(self, place: Place) -> None:
        place.write("train.py")
        assert place.resolve(str(place.other), "train.py").interpreter == place.other
        assert place.resolve("../other/python3.12", "train.py").interpreter.samefile(place.other)

    def test_a_versioned_name_is_looked_up(self, place: Place) -> None:
        place.write("train.py")
        python = place.executable(place.path / "python3.12", b"\x7fELF\0")
        assert place.resolve("python3.12", "train.py").interpreter == python
        assert "this interpreter does not exist" in place.refusal("python3.99", "train.py")

    def test_the_flag_wins(self, place: Place) -> None:
        place.write("train.py")
        assert place.resolve(str(place.other), "train.py", is_given=True).interpreter == place.python


class TestCommand:
    """Installed commands are Python scripts; their first line says which Python."""

    def test_beside_the_interpreter_comes_first(self, place: Place) -> None:
        beside = place.executable(place.bin / "chemprop", f"#!{place.python}\nimport sys\n")
        place.executable(place.path / "chemprop", f"#!{place.other}\nimport sys\n")
        program = place.resolve("chemprop", "train", "--epochs", "3")
        assert program.label == "chemprop train"
        assert program.shim_arguments == [str(beside), "train", "--epochs", "3"]
        assert program.interpreter == place.python

    def test_on_path_with_its_own_interpreter_unless_one_is_given(self, place: Place) -> None:
        command = place.executable(place.path / "chemprop", f"#!{place.other} -sE\nimport sys\n")
        assert place.resolve("chemprop").interpreter == place.other
        assert place.resolve("chemprop", is_given=True).interpreter == place.python
        assert place.resolve("chemprop").shim_arguments == [str(command)]

    def test_typed_by_its_path(self, place: Place) -> None:
        command = place.executable(place.path / "chemprop", f"#!{place.other}\nimport sys\n")
        program = place.resolve(str(command), "train")
        assert (program.interpreter, program.label) == (place.other, "chemprop train")

    @pytest.mark.parametrize(
        "second",
        ['\'\'\'exec\' "{python}" "$0" "$@"', "'''exec' {python} \"$0\" \"$@\"", "'''exec' '{python}' \"$0\" \"$@\""],
    )
    def test_the_long_path_trick_of_installers(self, place: Place, second: str) -> None:
        second = second.format(python=place.other)
        place.executable(place.path / "chemprop", f"#!/bin/sh\n{second}\n' '''\nimport sys\n")
        assert place.resolve("chemprop").interpreter == place.other

    def test_the_relative_trick_of_installers(self, place: Place) -> None:
        trick = '\'\'\'exec\' "$(dirname -- "$(realpath -- "$0")")"/\'python3\' "$0" "$@"'
        python = place.executable(place.path / "python3", b"\x7fELF\0")
        place.executable(place.path / "chemprop", f"#!/bin/sh\n{trick}\n' '''\nimport sys\n")
        assert place.resolve("chemprop").interpreter == python

    @pytest.mark.parametrize("first", ["#!/usr/bin/env python3", "#!/usr/bin/env -S A=1 python3 -u"])
    def test_env_looks_on_path_unless_it_lies_beside_our_interpreter(self, place: Place, first: str) -> None:
        place.executable(place.path / "chemprop", f"{first}\nimport sys\n")
        assert place.resolve("chemprop").interpreter == place.python, "there is no python3 on PATH"
        python = place.executable(place.path / "python3", b"\x7fELF\0")
        assert place.resolve("chemprop").interpreter == python
        place.executable(place.bin / "chemprop", f"{first}\nimport sys\n")
        assert place.resolve("chemprop").interpreter == place.python

    def test_a_folder_of_the_same_name_does_not_hide_it(self, place: Place) -> None:
        place.executable(place.bin / "chemprop", f"#!{place.python}\n")
        (place.folder / "chemprop").mkdir()
        assert place.resolve("chemprop").label == "chemprop"

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"\x7fELF\0\0", "binary file"),
            (b"#!/bin/bash\necho\n", "run by /bin/bash"),
            (b"#!/bin/sh\nexec something\n", "run by /bin/sh"),
            (b"#!/usr/bin/env node\n", "run by node"),
            (b"import sys\n", "names no interpreter"),
            (b"#!/nowhere/bin/python\nimport sys\n", "/nowhere/bin/python, which does not exist"),
        ],
    )
    def test_what_is_no_python_program_is_refused(self, place: Place, content: bytes, words: str) -> None:
        place.executable(place.path / "tool", content)
        message = place.refusal("tool")
        assert "tool" in message
        assert words in message

    @pytest.mark.parametrize("name", ["torchrun", "srun", "accelerate"])
    def test_launchers_of_ranks_are_the_plans_business(self, place: Place, name: str) -> None:
        place.executable(place.path / name, f"#!{place.other}\n")
        assert "--devices" in place.refusal(name, "--nproc-per-node", "2", "train.py")

    def test_other_launchers(self, place: Place) -> None:
        assert "--python" in place.refusal("uv", "run", "train.py")
        assert "--devices" in place.refusal("-m", "torch.distributed.run", "train.py")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], ["No program", "train.py", "-m MODULE", "demo"]),
        ([" "], ["No program"]),
        (["trian.py"], ["trian.py", "no such file", "Did you mean train.py?"]),
        (["zzz"], ["zzz", "no such file or command", "Available: image.py, shell.py, train.py"]),
        (["nowhere/train.py"], ["nowhere/train.py", "folder does not exist"]),
        (["pkg"], ["pkg is a folder", "Did you mean train.py?"]),
        (["image.py"], ["image.py", "binary file"]),
        (["shell.py"], ["shell.py", "run by /bin/sh"]),
        (["/proc/self/mem"], ["/proc/self/mem", "cannot be read"]),
        (["/dev/null"], ["/dev/null", "not a regular file"]),
        (["-m"], ["-m", "name of a module"]),
        (["-m", "pkg/train.py"], ["pkg/train.py", "not a module name"]),
        (["--epochs", "3"], ["--epochs", "option, not a program"]),
        (["--config"], ["--config", "needs a file"]),
        (["--config", "konfig.yaml"], ["konfig.yaml", "no such file", "Did you mean config.yaml?"]),
        (["--config=pkg"], ["pkg", "is a folder"]),
        (["python"], ["python alone"]),
        (["python", "-c", "print()"], ["python -c", "not accepted"]),
        (["python", "gone.py"], ["gone.py", "no such file"]),
    ],
)
def test_refusals_name_the_value_and_the_way_out(place: Place, given: list[str], words: list[str]) -> None:
    for name in ("train.py", "pkg/train.py", "config.yaml"):
        place.write(name)
    place.write("image.py", "\0\1\2")
    place.write("shell.py", "#!/bin/sh\necho\n")
    message = place.refusal(*given)
    assert [word for word in words if word not in message] == []


def test_the_process_environment_does_not_matter(place: Place) -> None:
    """Only the given PATH is searched."""
    assert os.environ.get("PATH")
    assert "no such file or command" in place.refusal("ls")
