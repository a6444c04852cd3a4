"""Which program shall be run, with which Python, and may that Python run it?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lightning_tui.refusal import UsageError

if TYPE_CHECKING:
    from lightning_tui.environment import Software
    from lightning_tui.launch import Program


class CompromisedReleaseError(UsageError):
    """The interpreter's Lightning is a release that must not be run."""


class ProgramChoice(msgspec.Struct, frozen=True):
    """A program as it was asked for."""

    given: tuple[str, ...]
    folder: Path
    interpreter: Path
    interpreter_is_given: bool

    @property
    def label(self) -> str:
        """Short name until the program has been found."""
        words = self.given
        return " ".join(words[:2]) if words[0] == "-m" else Path(words[0]).name


def find_program(choice: ProgramChoice, environ: Mapping[str, str]) -> Program:
    """What the words of the choice mean.

    Raises:
        ProgramError: there are none, or they are nothing that Python can run.
    """
    from lightning_tui.launch import resolve_program

    return resolve_program(
        choice.given,
        interpreter=choice.interpreter,
        interpreter_is_given=choice.interpreter_is_given,
        folder=choice.folder,
        environ=environ,
    )


def find_safe_program(choice: ProgramChoice, environ: Mapping[str, str]) -> Program:
    """The same, of an interpreter that may run it.

    Raises:
        ProgramError: it is nothing that Python can run.
        CompromisedReleaseError: the interpreter must not run it.
    """
    from lightning_tui.environment import probe_software

    program = find_program(choice, environ)
    refuse_compromised(probe_software(program.interpreter))
    return program


def refuse_compromised(software: Software) -> None:
    """Run nothing with an interpreter whose Lightning is a compromised release.

    Raises:
        CompromisedReleaseError: it is one.
    """
    from lightning_tui.environment import reason_not_to_start

    reason = reason_not_to_start(software)
    if reason is not None:
        raise CompromisedReleaseError(reason)
