"""Which errors are a sentence for a person, and which exit code does a command end with on them?"""

from __future__ import annotations

from typing import ClassVar


class RefusalError(Exception):
    """Something that was asked cannot be done; the message is for people. Each kind is a class of its own."""

    exit_code: ClassVar[int] = 1
    """It could not be done."""


class UsageError(RefusalError):
    """What was asked cannot be meant, or cannot work: asked otherwise, it can."""

    exit_code = 2
