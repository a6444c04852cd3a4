"""How does Python itself run a script or a module as `__main__`? This does the same, from inside a running Python."""

from __future__ import annotations

import builtins
import io
import os
import sys
from collections.abc import Callable
from importlib.machinery import SourceFileLoader, SourcelessFileLoader
from types import CodeType, ModuleType

Call = tuple[Callable[..., object], tuple[object, ...]]
"""A function, and what to call it with."""

CLI_WORD = "--lightning-cli"
CLI_ENTRY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lightning_cli.py")


class Program:
    """A program as it stands on the command line: `PATH args...`, `-m module args...` or `--lightning-cli args...`."""

    def __init__(self, words: list[str]) -> None:
        """Take the words after `--`; there must be at least one."""
        self.words = words
        self._prepare, self._target, self._arguments = _form_of(words)

    def run(self, given: dict[str, object]) -> None:
        """Run it as `__main__`; whatever it raises comes out. `given` is what Python gives a main module of its own.

        Raises:
            SystemExit: the program left with it, or there is no such program.
        """
        call, arguments = self.prepare(given)
        call(*arguments)

    def prepare(self, given: dict[str, object]) -> Call:
        """Make this process ready for it; return what runs it, when called, in the very next frame."""
        return self._prepare(self._target, self._arguments, given)


def _form_of(words: list[str]) -> tuple[Callable[[str, list[str], dict[str, object]], Call], str, list[str]]:
    first, rest = words[0], words[1:]
    if first == CLI_WORD:
        return _lightning_cli, CLI_ENTRY, rest
    if first.startswith("-m"):
        name = [first[2:]] if first != "-m" else rest[:1]
        if not name:
            print("Argument expected for the -m option", file=sys.stderr)  # noqa: T201
            raise SystemExit(2)
        return _module, name[0], rest if first != "-m" else rest[1:]
    return _script, first, rest


def _script(path: str, arguments: list[str], given: dict[str, object]) -> Call:
    sys.argv = [path, *arguments]
    if _holds_modules(path):
        sys.path.insert(0, os.path.realpath(path) if os.path.isdir(path) else path)
        return _module_as_main("__main__", given, sets_argv=False)
    _put_first_on_path(os.path.dirname(os.path.realpath(path)))
    return _code_as_main(path, given)


def _module(name: str, arguments: list[str], given: dict[str, object]) -> Call:
    sys.argv = ["-m", *arguments]
    _put_first_on_path(os.getcwd())
    return _module_as_main(name, given, sets_argv=True)


def _lightning_cli(entry: str, arguments: list[str], given: dict[str, object]) -> Call:
    sys.argv = [entry, *arguments]
    _put_first_on_path(os.getcwd())  # a config names classes of the user's own modules
    return _code_as_main(entry, given)


def _put_first_on_path(folder: str) -> None:
    if not (getattr(sys.flags, "safe_path", False) or sys.flags.isolated):
        sys.path.insert(0, folder)


def _holds_modules(path: str) -> bool:
    """Whether Python would look for a `__main__` module inside: a folder or an archive."""
    for hook in sys.path_hooks:
        try:
            hook(path)
        except ImportError:
            continue
        return True
    return False


def _module_as_main(name: str, given: dict[str, object], *, sets_argv: bool) -> Call:
    import runpy

    _become_main(given)
    return runpy._run_module_as_main, (name, sets_argv)  # type: ignore[attr-defined]  # what `python -m` itself calls


def _code_as_main(path: str, given: dict[str, object]) -> Call:
    absolute = _absolute(path)
    loader_class = SourcelessFileLoader if path.endswith(".pyc") else SourceFileLoader
    loader = loader_class("__main__", absolute)
    main = _become_main({**given, "__file__": absolute, "__loader__": loader})
    return exec, (_code_of(absolute, loader), main.__dict__)


def _code_of(path: str, loader: SourceFileLoader | SourcelessFileLoader) -> CodeType:
    try:
        if isinstance(loader, SourcelessFileLoader):
            code = loader.get_code("__main__")
            assert code is not None
            return code
        with io.open_code(path) as file:
            return compile(file.read(), path, "exec", dont_inherit=True)
    except OSError as error:
        python = getattr(sys, "orig_argv", [sys.executable])[0]
        print(f"{python}: can't open file {path!r}: [Errno {error.errno}] {error.strerror}", file=sys.stderr)  # noqa: T201
        raise SystemExit(2) from None


def _absolute(path: str) -> str:
    """Return an absolute path as Python makes `__file__` of one: joined, not normalised."""
    return path if os.path.isabs(path) else os.path.join(os.getcwd(), path)


def _become_main(given: dict[str, object]) -> ModuleType:
    main = ModuleType("__main__")
    main.__dict__.update({**given, "__name__": "__main__", "__doc__": None, "__builtins__": builtins})
    sys.modules["__main__"] = main
    return main
