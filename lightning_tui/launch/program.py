"""What shall be run? Turns what a person typed (a script, a module, a command, a config) into what the shim is told."""

from __future__ import annotations

import difflib
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

import lightning_tui
from lightning_tui.launch.scripts import Script, ScriptError, has_main, is_python_name, read_script
from lightning_tui.refusal import UsageError

DEMO = "demo"
DEMO_LABEL = "gpt-demo"

_RANK_LAUNCHERS = frozenset(
    {"torchrun", "accelerate", "deepspeed", "srun", "sbatch", "mpirun", "mpiexec", "horovodrun"}
)
_RANK_LAUNCHER_MODULES = frozenset({"torch.distributed.run", "torch.distributed.launch", "accelerate.commands.launch"})
_ENVIRONMENT_LAUNCHERS = frozenset({"uv", "uvx", "poetry", "pixi", "conda", "mamba", "pipenv", "hatch", "rye", "pdm"})

_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)

_A_CONFIGURATION = (
    "{name} is a configuration, no program. Where it is LightningCLI's, give it as --config {name}; "
    "otherwise give the program that reads it: train.py --config {name}"
)
_NO_PROGRAMS = {
    ".ipynb": (
        "{name} is a notebook, no script. Make a script of it: jupyter nbconvert --to script {name}; "
        "then give the .py file that it writes."
    ),
    **dict.fromkeys((".yaml", ".yml", ".json"), _A_CONFIGURATION + "."),
    ".toml": _A_CONFIGURATION + ". A saved plan goes before the --: --plan {name}.",
}
"""By its ending: what a file is that Python would read as a script, and the way out."""


class ProgramError(UsageError):
    """A program that cannot be run as it was given; the message names the value, what is allowed and the fix."""


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """What runs, where, and with which Python."""

    label: str
    """Short name for people: `train.py`, `chemprop train`."""
    given: list[str]
    """The words as they were typed. They may hold secrets: mask them before they are written or shown."""
    shim_arguments: list[str]
    """`PATH args...`, `-m module args...`, or `--lightning-cli fit --config ...`."""
    folder: Path
    interpreter: Path
    environment: dict[str, str] = {}
    """The variables that were typed before it."""


class _ProgramContext(msgspec.Struct, frozen=True):
    """Where a program is looked for."""

    interpreter: Path
    interpreter_is_given: bool
    folder: Path
    environ: Mapping[str, str]
    typed: dict[str, str]
    """The variables that were typed before the program."""

    def program(self, given: list[str], label: str, arguments: list[str], interpreter: Path | None = None) -> Program:
        return Program(
            label=label,
            given=given,
            shim_arguments=arguments,
            folder=self.folder,
            interpreter=interpreter or self.interpreter,
            environment=self.typed,
        )


def resolve_program(
    given: Sequence[str],
    *,
    interpreter: Path,
    interpreter_is_given: bool,
    folder: Path,
    environ: Mapping[str, str],
) -> Program:
    """Find out what `given` means: what one would type after `python`, or instead of it.

    `interpreter` runs it unless the words themselves name another one; where `interpreter_is_given` it always does.
    Relative paths are meant from `folder`, commands are looked up beside the interpreter and on `environ`'s PATH.
    Leading `NAME=value` words, as a shell takes them, become variables of the program's environment.

    Raises:
        ProgramError: nothing was given, or it is nothing that Python can run.
    """
    typed, words = _variables_before(list(given), folder)
    place = _ProgramContext(
        interpreter.absolute(), interpreter_is_given, folder.absolute(), {**environ, **typed}, typed
    )
    program = _resolved(words, place)
    return msgspec.structs.replace(program, given=list(given)) if typed else program


def _variables_before(words: list[str], folder: Path) -> tuple[dict[str, str], list[str]]:
    """`A=1 B=2 train.py`, and the same after `env`: the variables, and the words after them."""
    rest = words[1:] if words[:1] == ["env"] and len(words) > 1 and not words[1].startswith("-") else words
    typed: dict[str, str] = {}
    while rest and (found := _ASSIGNMENT.fullmatch(rest[0])) and not (folder / rest[0]).is_file():
        typed[found[1]] = found[2]
        rest = rest[1:]
    return typed, rest


def _resolved(words: list[str], place: _ProgramContext) -> Program:
    if not words or not words[0].strip():
        raise ProgramError(
            "No program was given. Allowed: a script (train.py), -m MODULE, an installed command, "
            "--config FILE (LightningCLI), or demo."
        )
    first = words[0]
    if is_python_name(Path(first).name) and not (place.folder / first).is_dir():
        return _after_python(words, place)
    if first == "-m":
        return _module(words, words[1:], place)
    if first == "--config" or first.startswith("--config="):
        return _lightning_cli(words, place)
    if first.startswith("-"):
        raise ProgramError(f"{first} is an option, not a program. Put the program first: train.py {first} ...")
    if first == DEMO:
        script = Path(lightning_tui.__file__).parent / "demo" / "train.py"
        return place.program(words, DEMO_LABEL, [str(script), *words[1:]])
    return _script_or_command(words, place)


def _after_python(words: list[str], place: _ProgramContext) -> Program:
    """`python train.py`: forgiven, and read as what stands after it."""
    python, *rest = words
    place = msgspec.structs.replace(place, interpreter=_typed_interpreter(python, place))
    while rest and rest[0] == "-u":  # output is unbuffered anyway
        rest = rest[1:]
    if not rest:
        raise ProgramError(f"{python} alone is not a program. Name what it runs: train.py, or -m MODULE.")
    if rest[0] == "-m":
        return _module(words, rest[1:], place)
    if rest[0].startswith("-"):
        raise ProgramError(
            f"{python} {rest[0]}: options of Python itself are not accepted. Give a script or -m "
            "MODULE; set such options with environment variables (PYTHONWARNINGS, PYTHONOPTIMIZE, ...)."
        )
    return _script(words, rest, place)


def _typed_interpreter(python: str, place: _ProgramContext) -> Path:
    if place.interpreter_is_given or python in ("python", "python3"):
        return place.interpreter
    found = shutil.which(_from(place.folder, python) if "/" in python else python, path=place.environ.get("PATH"))
    if found is None:
        raise ProgramError(f"{python}: this interpreter does not exist. Omit it, or give its path with --python.")
    return Path(found).absolute()


def _module(given: list[str], rest: list[str], place: _ProgramContext) -> Program:
    if not rest:
        raise ProgramError("-m needs the name of a module: -m pkg.train")
    name = rest[0]
    if name in _RANK_LAUNCHER_MODULES:
        raise _launcher_error(name)
    if not all(part.isidentifier() for part in name.split(".")):
        raise ProgramError(f"-m {name}: this is not a module name. Allowed: names with dots (-m pkg.train), not paths.")
    return place.program(given, name, ["-m", *rest])


def _lightning_cli(words: list[str], place: _ProgramContext) -> Program:
    first, equals, value = words[0].partition("=")
    if not equals:
        value = words[1] if len(words) > 1 else ""
    if not value:
        raise ProgramError(f"{first} needs a file: --config config.yaml")
    path = Path(_from(place.folder, value))
    if not path.is_file():
        problem = "is a folder" if path.is_dir() else "no such file"
        raise ProgramError(
            f"--config {value}: {problem} in {place.folder}.{_nearest(path, ('.yaml', '.yml', '.json'))}"
        )
    return place.program(words, path.name, ["--lightning-cli", "fit", *words])


def _script_or_command(words: list[str], place: _ProgramContext) -> Program:
    first = words[0]
    path = Path(_from(place.folder, first))
    if path.is_file() and not _is_command_path(path):
        return _script(words, words, place)
    if first in _RANK_LAUNCHERS | _ENVIRONMENT_LAUNCHERS:
        raise _launcher_error(first)
    command = path if path.is_file() else _find_command(first, place)
    if command is not None:
        return _command(words, command, place)
    return _script(words, words, place)


def _script(given: list[str], words: list[str], place: _ProgramContext) -> Program:
    path = Path(_from(place.folder, words[0]))
    if path.is_file():
        _refuse_what_is_no_program(words[0], path)
        _read(words[0], path, "Give a Python file")
    elif not has_main(path):
        raise _no_script(words[0], path)
    typed = str(path) if words[0].startswith("~") else words[0]
    return place.program(given, path.name or path.resolve().name, [typed, *words[1:]])


def _refuse_what_is_no_program(typed: str, path: Path) -> None:
    reason = _NO_PROGRAMS.get(path.suffix.lower())
    if reason is not None:
        raise ProgramError(reason.format(name=typed))


def _is_command_path(path: Path) -> bool:
    """Whether the file was made to be typed by itself, so that its own first line chooses the interpreter."""
    if path.suffix == ".py" or not os.access(path, os.X_OK):
        return False
    try:
        return Path(read_script(path).interpreter or "").is_absolute()
    except ScriptError:
        return False


def _find_command(name: str, place: _ProgramContext) -> Path | None:
    if "/" in name:
        return None
    beside = str(place.interpreter.parent)
    found = shutil.which(name, path=beside) or shutil.which(name, path=place.environ.get("PATH", os.defpath))
    return Path(found).absolute() if found else None


def _command(words: list[str], command: Path, place: _ProgramContext) -> Program:
    name = Path(words[0]).name
    hint = f"Give the Python program that {name} starts"
    script = _read(name, command, hint)
    if script.interpreter is None:
        raise ProgramError(f"{name} ({command}) is not a Python program: its first line names no interpreter. {hint}.")
    interpreter = place.interpreter if place.interpreter_is_given else _interpreter_of(script, command, place)
    plain_word = len(words) > 1 and re.fullmatch(r"[a-z][a-z0-9_-]{0,30}", words[1])
    return place.program(words, f"{name} {words[1]}" if plain_word else name, [str(command), *words[1:]], interpreter)


def _interpreter_of(script: Script, command: Path, place: _ProgramContext) -> Path:
    named = Path(script.interpreter or "")
    if named.is_absolute():
        if os.access(named, os.X_OK):
            return named
        raise ProgramError(f"{command} needs {named}, which does not exist. Reinstall it, or choose --python PATH.")
    if command.parent == place.interpreter.parent:
        return place.interpreter
    found = shutil.which(str(named), path=place.environ.get("PATH", os.defpath))
    return Path(found).absolute() if found else place.interpreter


def _read(name: str, path: Path, hint: str) -> Script:
    try:
        return read_script(path)
    except ScriptError as error:
        raise ProgramError(f"{name} ({path}) is no Python program: {error}. {hint}.") from error


def _from(folder: Path, typed: str) -> str:
    try:
        return str(folder / Path(typed).expanduser())
    except RuntimeError:  # ~somebody, and there is no such user
        return str(folder / typed)


def _launcher_error(name: str) -> ProgramError:
    if name in _ENVIRONMENT_LAUNCHERS:
        return ProgramError(
            f"{name} starts other programs. Give the program itself, and the Python "
            "of its environment with --python PATH."
        )
    return ProgramError(
        f"{name} starts the ranks of a run, which the plan does here. Give the program itself, and set "
        "--devices, --num-nodes and --strategy."
    )


def _no_script(typed: str, path: Path) -> ProgramError:
    if path.is_dir():
        what = f"{typed} is a folder without a __main__.py"
        return ProgramError(f"{what}. Give a script in it, or -m PACKAGE.{_nearest(path / 'train.py')}")
    if path.exists():
        return ProgramError(f"{typed} is not a regular file. Give a Python file.")
    if " " in typed.strip() and len(words := typed.split()) > 1:
        return ProgramError(f"{typed!r} came as one word. Leave the quotation marks away: {' '.join(words)}")
    what = "no such file" if "/" in typed or typed.endswith(".py") else "no such file or command"
    return ProgramError(f"{typed}: {what} in {path.parent}.{_nearest(path)}")


def _nearest(path: Path, endings: tuple[str, ...] = (".py",)) -> str:
    """Offer what there is instead of `path`, as a sentence with a space before it; empty where there is nothing."""
    try:
        names = sorted(entry.name for entry in path.parent.iterdir() if entry.suffix in endings)
    except OSError:
        return " That folder does not exist." if not path.parent.exists() else ""
    near = difflib.get_close_matches(path.name, names, n=1, cutoff=0.5)
    if near:
        return f" Did you mean {near[0]}?"
    shown = ", ".join(names[:4]) + (" ..." if len(names) > 4 else "")
    return f" Available: {shown}." if names else ""
