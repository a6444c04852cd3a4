"""How is a failure told to another person? One text with error, suggestion, context and traceback, secrets masked."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lightning_tui.diagnosis.model import Diagnosis
from lightning_tui.record import RunSnapshot, mask_secrets
from lightning_tui.text.safe import harmless
from lightning_tui.text.units import NOT_KNOWN, size

_WORD = re.compile(r"[^\s,;()\[\]{}\"']+")
_NAMED = re.compile(
    r"((?:api[-_]?key|token|secret|passw(?:or)?d|authorization)['\"]?\s{0,3}[=:]\s{0,3}['\"]?(?:bearer )?)"
    r"([^\s'\",;]{1,400})",
    re.IGNORECASE,
)
_IN_ADDRESS = re.compile(r"(://[^/\s:@]{1,100}:)([^@\s/]{1,200})(@)")
MASK = mask_secrets(["--token", "x"])[1]


def report_text(run: RunSnapshot, diagnosis: Diagnosis) -> str:
    """The report of a failed run: Error, Suggestion, Context, Full Traceback. Plain text, ready to be pasted."""
    suggestions = [
        f"{number}. {suggestion.text}" + (f"  [{flags(suggestion.changes)}]" if suggestion.changes else "")
        for number, suggestion in enumerate(diagnosis.suggestions, 1)
    ]
    traceback = (run.failure.traceback if run.failure else "") or diagnosis.traceback or "none was recorded"
    parts = [
        ("Error", [diagnosis.title, diagnosis.cause, f"> {diagnosis.evidence.text}"]),
        ("Suggestion", suggestions or ["none"]),
        ("Context", list(_context(run, diagnosis))),
        ("Full Traceback", [traceback.rstrip()]),
    ]
    text = "\n\n".join(f"{heading}:\n" + "\n".join(lines) for heading, lines in parts)
    return masked(text) + "\n"


def _context(run: RunSnapshot, diagnosis: Diagnosis) -> Iterator[str]:
    record, trainer, progress = run.record, run.trainer, run.progress
    yield f"run        {record.id} ({run.state.value}), attempt {run.attempt}"
    yield f"program    {' '.join(record.program.given)}"
    yield f"python     {record.program.interpreter}"
    plan = " ".join(f"{name}={value}" for name, value in record.plan.items())
    yield f"plan       {plan or 'as the script says'}"
    if trainer is not None:
        in_effect = ("accelerator", "strategy", "precision", "devices", "num_nodes", "accumulate_grad_batches")
        fields = {name: trainer.fields[name].actual for name in in_effect if name in trainer.fields}
        yield "trainer    " + " ".join(f"{name}={value}" for name, value in fields.items())
        yield f"versions   torch {trainer.torch} · {trainer.flavour} {trainer.lightning} · {record.made_by or 'N/A'}"
    where = f", in {run.failure.hook}" if run.failure and run.failure.hook else ""
    yield f"rank       {_known(diagnosis.rank)} of {_known(trainer.world_size if trainer else None)}{where}"
    epoch, step = (progress.epoch, progress.global_step) if progress else (None, None)
    yield f"progress   epoch {_known(epoch)} · step {_known(step)}"
    yield from _memory(run)
    yield "platform   " + (" · ".join(record.environment.values()) or NOT_KNOWN)
    if diagnosis.where is not None:
        yield f"code       {diagnosis.where.path}:{diagnosis.where.line}  {diagnosis.where.code or ''}".rstrip()


def _known(value: int | None) -> str:
    return NOT_KNOWN if value is None else str(value)


def _memory(run: RunSnapshot) -> Iterator[str]:
    if run.host is not None and run.host.memory_used is not None and run.host.memory_total is not None:
        yield f"memory     {size(run.host.memory_used)} of {size(run.host.memory_total)} of the host"
    for gpu in run.gpus:
        if gpu.memory_used is not None and gpu.memory_total is not None:
            yield f"GPU {gpu.index}      {size(gpu.memory_used)} of {size(gpu.memory_total)} · {gpu.name or 'N/A'}"


def flags(changes: dict[str, object]) -> str:
    """Plan changes as they are typed: `--precision bf16-mixed --set batch_size=16`; an empty value takes one back."""
    from shlex import quote

    from lightning_tui.plan.fields import FLAGS

    words = []
    for name, value in changes.items():
        text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        words.append(
            f"--{name.replace('_', '-')} {quote(text)}" if name in FLAGS else f"--set {quote(f'{name}={text}')}"
        )
    return " ".join(words)


def masked(text: str) -> str:
    """The text without the values of secrets, and without characters that could steer a terminal."""
    text = harmless(text, mark="", keeps="\t\n")
    text = _IN_ADDRESS.sub(rf"\g<1>{MASK}\g<3>", _NAMED.sub(rf"\g<1>{MASK}", text))
    lines = []
    for line in text.split("\n"):
        words = _WORD.findall(line)
        for word, safe in zip(words, mask_secrets(words), strict=True):
            if (word != safe and len(word) > 3 and safe != MASK) or (safe == MASK and len(word) >= 12):
                line = line.replace(word, safe)
        lines.append(line)
    return "\n".join(lines)
