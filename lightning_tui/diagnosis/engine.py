"""What is wrong, the root cause first? Reads the evidence, matches the rules, orders causes before consequences."""

from __future__ import annotations

import re
from collections.abc import Iterable

from lightning_tui.diagnosis.changes import COMPUTED
from lightning_tui.diagnosis.conduct import conduct_hits
from lightning_tui.diagnosis.exceptions import Found, Read, read_stream
from lightning_tui.diagnosis.growth import printed_growth
from lightning_tui.diagnosis.matching import Hit, Material, find_hits, material_of
from lightning_tui.diagnosis.model import (
    CONSEQUENCE_BELOW,
    UNKNOWN_WEIGHT,
    Advice,
    CodeHint,
    Diagnosis,
    Evidence,
    EvidenceLine,
    Output,
    Raised,
    Suggestion,
)
from lightning_tui.diagnosis.rules import all_rules, rules_by_category
from lightning_tui.diagnosis.rules.software import EXCEPTION_WORDS
from lightning_tui.diagnosis.text import Stream, read_streams
from lightning_tui.diagnosis.words import fill, plain
from lightning_tui.words import size

MOST = 8
"""Diagnoses that are told at most."""

_FINISHED = re.compile(r"`?Trainer\.(?:fit|test|validate|predict)`? stopped: `?max_(?:epochs|steps)=", re.IGNORECASE)
_WRAPPERS = (
    "ExceptionGroup",
    "BaseExceptionGroup",
    "ProcessRaisedException",
    "ChildFailedError",
    "ProcessExitedException",
    "SIGTERMException",
    "SignalException",
)
_CARRIED = re.compile(r"Caught \w{1,80} in (?:DataLoader worker|replica|pin memory thread)")


def diagnose(evidence: Evidence) -> tuple[Diagnosis, ...]:
    """Explain what went wrong: the root cause first, then what else shows; empty where nothing is wrong."""
    reads = [(read_stream(stream), stream.rank) for stream in _streams(evidence.outputs)]
    reads = [(_without_the_overcome(read, evidence), rank) for read, rank in reads]
    material = material_of(reads, [_told(raised) for raised in evidence.exceptions])
    hits = find_hits(all_rules(), material)
    hits += _unknown_exceptions(material, hits)
    hits += conduct_hits(evidence, rules_by_category())
    hits += _printed_growth(material)
    hits = _told_by_the_run(hits, evidence)
    ordered = sorted(hits, key=_rank_of)
    first_of_each = {hit.rule.category: hit for hit in reversed(ordered)}
    roots = [hit for hit in ordered if first_of_each[hit.rule.category] is hit]
    return tuple(_diagnosis(hit, evidence, material) for hit in roots[:MOST])


def _streams(outputs: Iterable[Output]) -> list[Stream]:
    return [stream for output in outputs for stream in read_streams(output)]


def _told(raised: Raised) -> tuple[Found, float]:
    """An exception of telemetry, as if it had been read: its own text is the truth, its traceback gives the frames."""
    read = read_stream(next(iter(read_streams(Output(raised.traceback, raised.rank))), Stream(raised.rank, [])))
    frames = read.exceptions[-1].frames if read.exceptions else ()
    in_worker = any(found.in_worker for found in read.exceptions) or "in DataLoader worker process" in raised.message
    found = Found(
        type=raised.type.removeprefix("builtins."),
        message=raised.message.strip(),
        line=0,
        rank=raised.rank,
        frames=frames,
        chain=-1,
        has_traceback=True,
        in_worker=in_worker,
        ignored=False,
        block=raised.traceback,
    )
    return found, raised.time - 4e9  # telemetry's own order comes before that of lines


def _without_the_overcome(read: Read, evidence: Evidence) -> Read:
    """Leave out exceptions that the program overcame: it came to its regular end after them."""
    if evidence.exit_code not in (None, 0):
        return read
    ends = [line.number for line in read.loose if _FINISHED.search(line.text)]
    if not ends:
        return read
    return Read([found for found in read.exceptions if found.line > ends[-1]], read.loose)


def _unknown_exceptions(material: Material, hits: list[Hit]) -> list[Hit]:
    """Exceptions that no rule knows: the last of each chain, as one of the program's own or of its dataset."""
    rules = rules_by_category()
    known = {id(hit.found) for hit in hits if hit.found is not None}
    known_chains = {(hit.found.rank, hit.found.chain) for hit in hits if hit.found is not None and hit.found.chain >= 0}
    last_of_chain: dict[tuple[int | None, int], tuple[Found, float]] = {}
    for found, order in material.exceptions:
        if id(found) in known or (found.rank, found.chain) in known_chains or not _is_telling(found):
            continue
        before = last_of_chain.get((found.rank, found.chain))
        # A worker's exception stays the one that counts, whatever is raised on its way out.
        if found.chain < 0 or before is None or not before[0].in_worker:
            last_of_chain[(found.rank, found.chain)] = (found, order)
    return [
        Hit(
            rule := rules["dataset-exception" if found.in_worker else "user-exception"],
            rule.weight if found.in_worker else UNKNOWN_WEIGHT,
            {
                "type": found.name,
                "message": found.message.partition("\n")[0],
                "words": EXCEPTION_WORDS.get(found.name, ""),
            },
            found.line or None,
            found.text.partition("\n")[0],
            found.rank,
            found,
            order,
        )
        for found, order in last_of_chain.values()
    ]


def _printed_growth(material: Material) -> list[Hit]:
    rule = rules_by_category()["memory-growth"]
    grown = [(page.rank, told) for page in material.pages if (told := printed_growth(page.lines)) is not None]
    return [
        Hit(
            rule,
            rule.weight,
            {"first": size(first), "last": size(last)},
            line.number,
            line.text.strip(),
            rank,
            None,
            float(line.number),
        )
        for rank, (line, first, last) in grown
    ]


def _is_telling(found: Found) -> bool:
    if found.ignored or found.name in _WRAPPERS or not found.has_traceback:
        return False
    if found.name.endswith("Warning"):
        return False
    return not (_CARRIED.search(found.message) and "Original Traceback" not in found.block and found.chain >= 0)


def _told_by_the_run(hits: list[Hit], evidence: Evidence) -> list[Hit]:
    """What a run overcame or a person asked for is no failure: an end on request explains signals and lost peers."""
    if evidence.conduct.finished:
        return [hit for hit in hits if _severity(hit) != "error"]
    if not evidence.conduct.ended_on_request:
        return hits
    asked_for = {
        "sigterm",
        "keyboard-interrupt",
        "worker-sigkill",
        "host-oom-killed",
        "program-exit",
        "slurm-cancelled",
    }
    kept = [hit for hit in hits if hit.rule.category not in asked_for]
    return kept if any(hit.weight >= CONSEQUENCE_BELOW for hit in kept) else []


def _rank_of(hit: Hit) -> tuple[bool, int, float]:
    return (_severity(hit) != "error", -hit.weight, hit.order)


def _severity(hit: Hit) -> str:
    """An exception that got out is an error, whatever its rule says of the same words in a warning."""
    return "error" if hit.found is not None and not hit.found.ignored else hit.rule.severity


def _diagnosis(hit: Hit, evidence: Evidence, material: Material) -> Diagnosis:
    where = _own_frame(hit, material)
    line = EvidenceLine(hit.line, plain(hit.text)) if hit.line else _line_in_output(hit, material)
    title = fill(hit.rule.title, hit.captured)
    captured_what = hit.captured.get("what") or next((v for k, v in hit.captured.items() if k.startswith("what")), "")
    cause = fill(hit.rule.cause, {**hit.captured, "what": captured_what}) or _said(hit)
    return Diagnosis(
        category=hit.rule.category,
        title=title,
        cause=cause,
        suggestions=_suggestions(hit, evidence, where),
        evidence=line,
        rank=hit.rank,
        severity="error" if _severity(hit) == "error" else "warning",
        consequence=hit.weight < CONSEQUENCE_BELOW,
        where=where,
        docs=hit.rule.docs,
        traceback=hit.found.block if hit.found is not None else "",
    )


def _said(hit: Hit) -> str:
    return plain(hit.text)


def _own_frame(hit: Hit, material: Material) -> CodeHint | None:
    """The program's frame of this exception, or of another one in its chain (a worker's wrapper)."""
    if hit.found is None:
        return None
    if hit.found.own_frame is not None:
        return hit.found.own_frame
    same = [f for f, _ in material.exceptions if (f.rank, f.chain) == (hit.found.rank, hit.found.chain) and f.own_frame]
    return same[-1].own_frame if same else None


def _line_in_output(hit: Hit, material: Material) -> EvidenceLine:
    """Where the output says what telemetry told."""
    text = plain(hit.text)
    if hit.found is not None:
        for found, _ in material.exceptions:
            if found.line and found.name == hit.found.name and found.message[:80] == hit.found.message[:80]:
                return EvidenceLine(found.line, text)
    return EvidenceLine(None, text)


def _suggestions(hit: Hit, evidence: Evidence, where: CodeHint | None) -> tuple[Suggestion, ...]:
    return tuple(_suggestion(advice, hit, evidence, where) for advice in hit.rule.advice)


def _suggestion(advice: Advice, hit: Hit, evidence: Evidence, where: CodeHint | None) -> Suggestion:
    computed = COMPUTED[advice.computed](evidence) if advice.computed else advice.changes
    is_new = computed is not None and any(evidence.value(name) != value for name, value in computed.items())
    return Suggestion(
        text=fill(advice.text, hit.captured),
        changes=dict(computed) if computed is not None and is_new else None,
        hint=where if advice.in_code else None,
        trust=advice.trust,
    )
