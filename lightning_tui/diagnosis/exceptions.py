"""Which exceptions stand in the lines of one rank, with their frames, chains and wrappers? The rest is loose lines."""

from __future__ import annotations

import ast
import builtins
import re
from typing import NamedTuple

from lightning_tui.diagnosis.model import CodeHint
from lightning_tui.diagnosis.printers import is_progress
from lightning_tui.diagnosis.text import OutputLine, Stream

MESSAGE_LINES = 60
MESSAGE_LIMIT = 8000

_FRAME = re.compile(r'\s{1,200}File "([^"]{1,1000})", line (\d{1,9})(?:,? in (.{1,200}))?')
_CELL = re.compile(
    r"(?:Cell|Input) (In ?\[\d{1,6}\]),? (?:line |in )(\d{1,9})?|File ([^\s:]{1,500}):(\d{1,9}), in (\S{1,200})"
)
_TYPE = re.compile(r"([A-Za-z_][\w.]{0,200})(?::(?: (.*))?)?$", re.DOTALL)
_NAKED_TYPE = re.compile(
    r"((?:[A-Za-z_]\w{0,80}\.){0,12}(?:[A-Z_]\w{0,80}?)?(?:Error|Exception|Interrupt|Exit|Failed|Unsupported|Timeout|MandatoryValue))"
    r"(?:: ?(.*)|:?)$",
    re.DOTALL,
)
_ENDINGS = (
    "Error",
    "Exception",
    "Interrupt",
    "Exit",
    "Failed",
    "Unsupported",
    "Timeout",
    "MandatoryValue",
)
"""How the types end that `_NAKED_TYPE` knows."""
_WHAT = re.compile(r" {0,4}what\(\): {1,2}(.*)", re.DOTALL)
_THROWN = re.compile(r"terminate called after throwing an instance of '([\w:]{1,200})'")
_CALL_FAILED = "Error in call to target"
"""What Hydra writes above the exception that it hides, as `repr` shows that."""
_AS_REPR = re.compile(r"([A-Za-z_]\w{0,80}(?:\.\w{1,80}){0,12})\((.{0,4000})\)$")
_TIP = "tip: For details of accepted options"
"""What jsonargparse writes above its error, whose details go on below."""
_NUMBER = re.compile(r"\s{0,4}[-+]?(?:\d[\d.,eE+-]{0,30}|nan|inf)\s{0,4}%?$")
_LOG_LEVELS = ("INFO", "WARNING", "ERROR", "DEBUG", "CRITICAL", "NOTE", "WARN", "Note", "Warning", "Error", "FATAL")
_TELLING = (
    "rror",
    "xcept",
    "xit",
    "nterrupt",
    "ailed",
    "nsupported",
    "imeout",
    "ndatory",
    "most recent call",
    'File "',
    "hread 0x",
    "Cell In",
    "Input In",
    "terminate called",
    "what():",
    "During handling",
    "The above",
)
"""Outside of a traceback only a line with one of these may begin one or name an exception."""
_HEADERS = ("Traceback (most recent call last)", "Current thread 0x", "Thread 0x")
_CHAIN = {
    "The above exception was the direct cause of the following exception:": "cause",
    "During handling of the above exception, another exception occurred:": "context",
}
_LIBRARY = re.compile(
    r"site-packages|dist-packages|/lib/python3|lib/python\d|^<|lightning_tui_runner|/bin/(?:torchrun|accelerate|deepspeed)"
)


class FoundException(NamedTuple):
    """One exception as it stands in an output."""

    type: str
    """As written, qualified or not."""
    message: str
    line: int
    rank: int | None
    frames: tuple[CodeHint, ...]
    chain: int
    """Exceptions of one chain ("during handling of ...") carry the same number."""
    has_traceback: bool
    in_worker: bool
    """Whether it was raised in a worker of a DataLoader."""
    ignored: bool
    """Whether Python only printed it ("Exception ignored in")."""
    block: str
    """The traceback as it was written."""

    @property
    def name(self) -> str:
        """The type's own name, without its module."""
        return self.type.rpartition(".")[2].rpartition("::")[2]

    @property
    def text(self) -> str:
        """Type and message, as Python writes them."""
        return f"{self.type}: {self.message}" if self.message else self.type

    @property
    def own_frame(self) -> CodeHint | None:
        """The innermost frame of the program itself: not of the standard library nor of an installed package."""
        own = [frame for frame in self.frames if is_own(frame)]
        return own[-1] if own else None


class ParsedStream(NamedTuple):
    """What a stream holds."""

    exceptions: list[FoundException]
    loose: list[OutputLine]
    """Lines that belong to no traceback."""
    stack: tuple[CodeHint, ...] = ()
    """Where Python was when native code crashed, innermost first, as `faulthandler` writes it."""


def read_stream(stream: Stream) -> ParsedStream:
    """Find the exceptions of a stream."""
    return _TracebackParser(stream).read()


class _TracebackParser:
    """Walks the lines once."""

    def __init__(self, stream: Stream) -> None:
        self.rank = stream.rank
        self.lines = stream.lines
        self.telling = _telling_lines(stream.lines)
        self.exceptions: list[FoundException] = []
        self.loose: list[OutputLine] = []
        self.chain = 0
        self.is_chained = False
        self.thrown: str | None = None
        self.known_frames: dict[tuple[str, str], CodeHint | None] = {}
        self.stack: list[CodeHint] = []
        self._leave()

    def _leave(self) -> None:
        """No traceback is open."""
        self.frames: list[CodeHint] = []
        self.opened_at: int | None = None
        self.is_original = False
        self.is_ignored = False
        self.is_crash = False

    def read(self) -> ParsedStream:
        at, count = 0, len(self.lines)
        while at < count:
            at = self._step(at)
        return ParsedStream(self.exceptions, self.loose, tuple(self.stack))

    def _step(self, at: int) -> int:
        line = self.lines[at]
        text = line.text
        if self.opened_at is None and not self.is_chained and at not in self.telling:
            self.loose.append(line)
            return at + 1
        is_frame = text.startswith('  File "')
        if not is_frame and _is_header(text):
            return self._open(at)
        if is_frame or text[:1] in (" ", "\t"):
            return self._indented(at)
        if not text:
            return at + 1
        if text in _CHAIN:
            self.is_chained = True
            return at + 1
        if text.startswith(("Exception ignored in", "Exception in thread", "Exception in worker")):
            self.is_ignored = text.startswith("Exception ignored")
            self.loose.append(line)
            return at + 1
        whole = self._whole_at(at)
        if whole is not None:
            return self._close(at, *whole, is_whole=True)
        named = self._exception_at(at)
        if named is not None:
            return self._close(at, *named)
        if match := _THROWN.search(text):
            self.thrown = match[1]
        self._add_cell(text)
        self.loose.append(line)
        return at + 1

    def _open(self, at: int) -> int:
        text = self.lines[at].text
        ignored = self.is_ignored
        self._leave()
        self.is_ignored = ignored
        self.opened_at = at
        self.is_original = "Original Traceback" in text
        self.is_crash = text.startswith("Current thread 0x")
        if not self.is_chained and not self.is_original:
            self.chain = self.lines[at].number
        if "0x" in text:
            self.loose.append(self.lines[at])
        return at + 1

    def _indented(self, at: int) -> int:
        line = self.lines[at]
        if 'File "' in line.text and (hint := self._frame_at(at)) is not None:
            self.frames.append(hint)
            if self.is_crash:
                self.stack.append(CodeHint(hint.path, hint.line, hint.function))
            if self.opened_at is None:
                self.opened_at = at
                self.chain = self.lines[at].number
            return at + 1
        if self.thrown is not None and (match := _WHAT.match(line.text)):
            name, self.thrown = self.thrown, None
            return self._close(at, name, match[1])
        if self.opened_at is None or line.text.lstrip().startswith(("what()", "[")):
            self.loose.append(line)
        return at + 1

    def _frame_at(self, at: int) -> CodeHint | None:
        """The frame that a line and the code below it name; the same ones come again and again in a long log."""
        text = self.lines[at].text
        below = self.lines[at + 1].text if at + 1 < len(self.lines) else ""
        if (text, below) not in self.known_frames:
            match, code = _FRAME.match(text), below.strip()
            hint = CodeHint(match[1], int(match[2]), match[3], code if _is_code(code) else None) if match else None
            self.known_frames[text, below] = hint
        return self.known_frames[text, below]

    def _add_cell(self, text: str) -> None:
        match = _CELL.match(text) if self.opened_at is not None or "In" in text else None
        if match is None:
            return
        if match[1]:
            self.frames.append(CodeHint(match[1], int(match[2] or 0)))
        else:
            self.frames.append(CodeHint(match[3], int(match[4]), match[5]))

    def _exception_at(self, at: int) -> tuple[str, str] | None:
        """Type and message, where the line at the left margin is an exception's last line."""
        text = self.lines[at].text
        is_open = self.opened_at is not None and bool(self.frames)
        if is_open and (match := _TYPE.match(text)) and match[1] not in _LOG_LEVELS:
            return match[1], match[2] or ""
        match = _naked_type(text)
        if match is None or match[1] in _LOG_LEVELS or _NUMBER.match(match[2] or ""):
            return None
        return match[1], match[2] or ""

    def _whole_at(self, at: int) -> tuple[str, str] | None:
        """Type and message where no traceback is: what Hydra hides in its own message; a command line's error."""
        text, above = self.lines[at].text, self.lines[at - 1].text if at else ""
        if above.startswith(_TIP) and text.startswith("error: "):
            return "error", text.removeprefix("error: ")
        match = _AS_REPR.match(text) if _CALL_FAILED in above else None
        if match is None:
            return None
        self.is_chained = bool(self.exceptions) and _CALL_FAILED in self.exceptions[-1].message
        return match[1], _unquoted(match[2])

    def _close(self, at: int, name: str, first: str, *, is_whole: bool = False) -> int:
        """Note an exception; `is_whole`: it is one without a traceback, whatever stands around it."""
        end = at + 1
        message = [first]
        goes_on = self._goes_on_below_error if name == "error" else self._continues
        while end < len(self.lines) and len(message) < MESSAGE_LINES and goes_on(end):
            message.append(self.lines[end].text)
            end += 1
        before = self.lines[at - 1].text[:1] if at else ""
        if self.opened_at is None and not self.is_chained:
            self.chain = self.lines[at].number
        self.exceptions.append(
            FoundException(
                type=name,
                message="\n".join(message)[:MESSAGE_LIMIT].rstrip(),
                line=self.lines[at].number,
                rank=self.rank,
                frames=tuple(self.frames),
                chain=self.chain,
                has_traceback=is_whole
                or bool(self.frames)
                or self.opened_at is not None
                or before in (" ", "\t")
                or self._is_last_word(name, end),
                in_worker=self.is_original and self._wrapper_is_loader(),
                ignored=self.is_ignored,
                block="\n".join(
                    line.text for line in self.lines[self.opened_at if self.opened_at is not None else at : end]
                ),
            )
        )
        self._leave()
        self.is_chained = False
        return end

    def _is_last_word(self, name: str, end: int) -> bool:
        """Whether a text whose beginning is cut off ends with one of Python's own exceptions."""
        known = getattr(builtins, name, None)
        is_exception = isinstance(known, type) and issubclass(known, BaseException)
        return is_exception and not any(line.text.strip() for line in self.lines[end : end + 4])

    def _wrapper_is_loader(self) -> bool:
        return any("in DataLoader worker process" in found.message for found in self.exceptions[-1:])

    def _continues(self, at: int) -> bool:
        """Whether a message goes on: up to an empty line, a traceback, a progress bar or the next exception."""
        text = self.lines[at].text
        if _CALL_FAILED in self.lines[at - 1].text and _AS_REPR.match(text):
            return False
        if not text.strip() or text in _CHAIN or any(header in text for header in _HEADERS) or is_progress(text):
            return False
        if text.startswith(
            (
                "Exception ignored",
                "terminate called",
                "srun:",
                "slurmstepd",
                "bash:",
                "`Trainer",
                "GPU available",
                "wandb:",
                "full_key: ",
                '"""',
                "'''",
                "INFO",
                "WARNING",
                "----",
                "====",
                "/",
            )
        ):
            return False
        return not _naked_type(text)

    def _goes_on_below_error(self, at: int) -> bool:
        """Whether the details of a command line's error go on: to the first blank line with nothing indented below."""
        text = self.lines[at].text
        below = self.lines[at + 1].text if at + 1 < len(self.lines) else ""
        is_other = text.startswith(("srun:", "Traceback", "E0", "W0")) or is_progress(text)
        return bool(text.strip() or below.startswith(" ")) and not is_other


def _unquoted(arguments: str) -> str:
    """An exception's only argument as the text that it is; several as they were written."""
    try:
        value = ast.literal_eval(arguments.rstrip(","))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return arguments
    return str(value)


def is_own(frame: CodeHint) -> bool:
    """Whether a frame is the program's: not of the standard library, nor of an installed package."""
    return not _LIBRARY.search(frame.path)


def _is_header(text: str) -> bool:
    return ("(most recent call" in text or "hread 0x" in text) and any(header in text for header in _HEADERS)


def _naked_type(text: str) -> re.Match[str] | None:
    """An exception's type at a line's beginning; the cheap look at its letters spares most lines the pattern."""
    may_be = (text[0].isalpha() or text[0] == "_") and any(ending in text for ending in _ENDINGS)
    return _NAKED_TYPE.match(text) if may_be else None


def _telling_lines(lines: list[OutputLine]) -> set[int]:
    """Positions of the lines that hold one of the telling words, found in the whole text at once."""
    whole = "\n".join([line.text for line in lines])
    places: set[int] = set()
    for word in _TELLING:
        at = whole.find(word)
        while at >= 0:
            places.add(at)
            at = whole.find(word, at + 1)
    telling: set[int] = set()
    position = line = 0
    for place in sorted(places):
        line += whole.count("\n", position, place)
        position = place
        telling.add(line)
    return telling


def _is_code(text: str) -> bool:
    return bool(text) and not text.startswith(('File "', "^", "~")) and not _naked_type(text)
