"""What is wrong, the root cause first? Reads the evidence, matches the rules, orders causes before consequences."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from lightning_tui.diagnosis.changes import COMPUTED
from lightning_tui.diagnosis.conduct import conduct_hits, ending_signal, exit_words
from lightning_tui.diagnosis.configs import about_rejected_key
from lightning_tui.diagnosis.exceptions import FoundException, ParsedStream, is_own, read_stream
from lightning_tui.diagnosis.growth import MEMORY_WORDS, printed_growth
from lightning_tui.diagnosis.matching import Hit, Material, find_hits, first_line, material_of
from lightning_tui.diagnosis.model import (
    CONSEQUENCE_BELOW,
    UNKNOWN_WEIGHT,
    CodeHint,
    Diagnosis,
    Evidence,
    EvidenceLine,
    OutputTail,
    ReportedException,
    Suggestion,
    SuggestionTemplate,
)
from lightning_tui.diagnosis.rules import all_rules, rules_by_category
from lightning_tui.diagnosis.rules.software import EXCEPTION_WORDS
from lightning_tui.diagnosis.templates import fill, plain
from lightning_tui.diagnosis.text import Stream, read_streams
from lightning_tui.text.units import size

MOST = 8
"""Diagnoses that are told at most."""

OF_SEVERAL_RANKS = ("sync-dist-warning",)
"""Warnings that Lightning gives with any distributed strategy, and that mean nothing to one rank alone."""

REJECTING = ("cli-config", "hydra-config", "trainer-removed-arg")
"""Categories of a name that nothing takes."""

OF_A_FINISHED_RUN = ("nan-loss", "memory-growth")
"""What the record shows is so, however well a run has ended."""

NATIVE_CRASHES = ("segfault", "abort", "illegal-instruction")

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
    material = material_of(reads, [_exception_of_telemetry(raised) for raised in evidence.exceptions])
    hits = find_hits(all_rules(), material)
    hits += _unknown_exceptions(material, hits)
    hits += conduct_hits(evidence, rules_by_category())
    hits += _printed_growth(material)
    hits = _weighed_by_conduct(hits, evidence)
    hits += _silent_exit(hits, evidence)
    ordered = _one_for_each_exception(sorted(hits, key=_rank_of))
    first_of_each = {hit.rule.category: hit for hit in reversed(ordered)}
    roots = [hit for hit in ordered if first_of_each[hit.rule.category] is hit]
    told = (_with_rejected_key(_with_all_captured(hit, hits), evidence) for hit in roots[:MOST])
    return tuple(_diagnosis(hit, evidence, material) for hit in told)


def _with_all_captured(hit: Hit, hits: list[Hit]) -> Hit:
    """What the rule's other signs have captured, too: first of the same exception, then of the same rank."""
    others = [
        other for other in hits if other.rule.category == hit.rule.category and other is not hit and other.captured
    ]
    others.sort(key=lambda other: (other.found is not hit.found, other.rank != hit.rank, -other.weight))
    captured = dict(hit.captured)
    for other in others:
        captured = {**other.captured, **captured}
    return hit._replace(captured=captured)


def _with_rejected_key(hit: Hit, evidence: Evidence) -> Hit:
    """Where the key stands that a command line or a config file has wrongly, and which name was meant."""
    if hit.rule.category not in REJECTING:
        return hit
    return hit._replace(
        captured={**hit.captured, **about_rejected_key(hit.found.text if hit.found else hit.text, evidence)}
    )


def _streams(outputs: Iterable[OutputTail]) -> list[Stream]:
    return [stream for output in outputs for stream in read_streams(output)]


def _exception_of_telemetry(raised: ReportedException) -> tuple[FoundException, float]:
    """An exception of telemetry, as if it had been read: its own text is the truth, its traceback gives the frames.

    Of one that was carried over from a loader's worker, the original.
    """
    read = read_stream(next(iter(read_streams(OutputTail(raised.traceback, raised.rank))), Stream(raised.rank, [])))
    original = next((found for found in reversed(read.exceptions) if found.in_worker), None)
    last = original or (read.exceptions[-1] if read.exceptions else None)
    found = FoundException(
        type=original.type if original else raised.type.removeprefix("builtins."),
        message=original.message if original else raised.message.strip(),
        line=0,
        rank=raised.rank,
        frames=last.frames if last else (),
        chain=-1,
        has_traceback=True,
        in_worker=original is not None or "in DataLoader worker process" in raised.message,
        ignored=False,
        block=raised.traceback,
    )
    return found, raised.time - 4e9  # telemetry's own order comes before that of lines


def _without_the_overcome(read: ParsedStream, evidence: Evidence) -> ParsedStream:
    """Leave out exceptions that the program overcame: it came to its regular end after them."""
    if evidence.exit_code not in (None, 0):
        return read
    ends = [line.number for line in read.loose if "stopped: " in line.text and _FINISHED.search(line.text)]
    if not ends:
        return read
    return read._replace(exceptions=[found for found in read.exceptions if found.line > ends[-1]])


def _unknown_exceptions(material: Material, hits: list[Hit]) -> list[Hit]:
    """Exceptions that no rule knows: the last of each chain, as one of the program's own or of its dataset."""
    rules = rules_by_category()
    known = {id(hit.found) for hit in hits if hit.found is not None}
    known_chains = {
        (hit.found.rank, hit.found.chain)
        for hit in hits
        if hit.found is not None and hit.found.chain >= 0 and hit.weight >= UNKNOWN_WEIGHT
    }
    last_of_chain: dict[tuple[int | None, int], tuple[FoundException, float]] = {}
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
                "message": found.message.strip().partition("\n")[0],
                "words": EXCEPTION_WORDS.get(found.name, "") or _who_refused(found),
            },
            found.line or None,
            first_line(found),
            found.rank,
            found,
            order,
        )
        for found, order in last_of_chain.values()
    ]


def _who_refused(found: FoundException) -> str:
    """Whose line raised it, where the frames tell."""
    if not found.frames:
        return ""
    return "The program itself refused to go on." if is_own(found.frames[-1]) else "A library refused to go on."


def _printed_growth(material: Material) -> list[Hit]:
    rule = rules_by_category()["memory-growth"]
    speaking = [page for page in material.pages if any(page.may_hold(word) for word in MEMORY_WORDS)]
    grown = [(page.rank, told) for page in speaking if (told := printed_growth(page.lines)) is not None]
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


def _is_telling(found: FoundException) -> bool:
    if found.ignored or found.name in _WRAPPERS or not found.has_traceback:
        return False
    if found.name.endswith("Warning"):
        return False
    return not (_CARRIED.search(found.message) and "Original Traceback" not in found.block and found.chain >= 0)


def _weighed_by_conduct(hits: list[Hit], evidence: Evidence) -> list[Hit]:
    """What a run overcame or a person asked for is no failure: an end on request explains signals and lost peers."""
    if evidence.of_run and evidence.world_size == 1:
        hits = [hit for hit in hits if hit.rule.category not in OF_SEVERAL_RANKS]
    if evidence.conduct.finished:
        return [hit for hit in hits if _severity(hit) != "error" or _is_so_at_the_end(hit)]
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


def _is_so_at_the_end(hit: Hit) -> bool:
    """Whether it is no matter of an end: measured, or printed as it grew. A single line about a NaN was overcome."""
    is_measured = hit.order == float("inf") or hit.rule.category == "memory-growth"
    return hit.found is None and is_measured and hit.rule.category in OF_A_FINISHED_RUN


def _silent_exit(hits: list[Hit], evidence: Evidence) -> list[Hit]:
    """A run that left with a code of its own, and nothing says why: it ended itself."""
    code = evidence.exit_code
    is_told = any(_severity(hit) == "error" for hit in hits)
    if not evidence.of_run or is_told or not code or ending_signal(evidence) or evidence.conduct.ended_on_request:
        return []
    rule = rules_by_category()["program-exit"]
    text = evidence.conduct.exit_text or f"the program left with exit code {code}"
    return [Hit(rule, rule.weight, exit_words(evidence, code), None, text, evidence.only_rank, None, float("inf"))]


def _one_for_each_exception(ordered: list[Hit]) -> list[Hit]:
    """An exception has one cause: the first of those that the rules see in it."""
    first = {id(hit.found): hit for hit in reversed(ordered) if hit.found is not None}
    return [hit for hit in ordered if hit.found is None or first[id(hit.found)] is hit]


def _rank_of(hit: Hit) -> tuple[bool, int, float]:
    return (_severity(hit) != "error", -hit.weight, hit.order)


def _severity(hit: Hit) -> str:
    """An exception that got out is an error, whatever its rule says of the same words in a warning."""
    return "error" if hit.found is not None and not hit.found.ignored else hit.rule.severity


def _diagnosis(hit: Hit, evidence: Evidence, material: Material) -> Diagnosis:
    where = _own_frame(hit, material) or _exit_frame(hit, evidence)
    line = EvidenceLine(hit.line, plain(hit.text)) if hit.line else _line_in_output(hit, material)
    title = fill(hit.rule.title, hit.captured)
    captured_what = hit.captured.get("what") or next((v for k, v in hit.captured.items() if k.startswith("what")), "")
    place = _innermost(_stack(hit, material))
    cause = fill(hit.rule.cause, {**hit.captured, "what": captured_what, "place": place}) or _said(hit)
    return Diagnosis(
        category=hit.rule.category,
        title=title,
        cause=cause,
        suggestions=_suggestions(hit, evidence, where),
        evidence=line,
        rank=evidence.only_rank if hit.rank is None else hit.rank,
        severity="error" if _severity(hit) == "error" and not evidence.conduct.finished else "warning",
        consequence=hit.weight < CONSEQUENCE_BELOW,
        where=where,
        docs=hit.rule.docs,
        traceback=hit.found.block if hit.found is not None else "",
    )


def _said(hit: Hit) -> str:
    return plain(hit.text)


def _own_frame(hit: Hit, material: Material) -> CodeHint | None:
    """The program's frame of this exception, or of another one in its chain (a worker's wrapper).

    Telemetry hears of an exception where Lightning catches it: the frames above that stand in the output alone.
    """
    if hit.found is None:
        return next((frame for frame in _stack(hit, material) if is_own(frame)), None)
    if hit.found.own_frame is not None:
        return hit.found.own_frame
    chain = (hit.found.rank, hit.found.chain)
    same = [f for f, _ in material.exceptions if f.own_frame and ((f.rank, f.chain) == chain or _is_same(f, hit.found))]
    return same[-1].own_frame if same else None


def _exit_frame(hit: Hit, evidence: Evidence) -> CodeHint | None:
    """The program's line that called `sys.exit`."""
    if hit.rule.category != "program-exit" or not evidence.conduct.exit_traceback:
        return None
    streams = read_streams(OutputTail(evidence.conduct.exit_traceback, None))
    return next((found.own_frame for stream in streams for found in read_stream(stream).exceptions), None)


def _stack(hit: Hit, material: Material) -> tuple[CodeHint, ...]:
    """Where Python was, innermost first, where native code has ended the program."""
    if hit.rule.category not in NATIVE_CRASHES:
        return ()
    return material.stacks.get(hit.rank) or next(iter(material.stacks.values()), ())


def _innermost(stack: tuple[CodeHint, ...]) -> str:
    return f"{'/'.join(stack[0].path.split('/')[-2:])}:{stack[0].line}, {stack[0].function}" if stack else ""


def _is_same(one: FoundException, other: FoundException) -> bool:
    """Whether output and telemetry tell of one exception, whose words Lightning may have changed in between."""
    if one.name != other.name or (one.rank is not None and other.rank is not None and one.rank != other.rank):
        return False
    if one.message.partition("\n")[0][:80] == other.message.partition("\n")[0][:80]:
        return True
    return bool(one.frames and other.frames) and _place(one.frames[-1]) == _place(other.frames[-1])


def _place(frame: CodeHint) -> tuple[str, int]:
    return frame.path, frame.line


def _line_in_output(hit: Hit, material: Material) -> EvidenceLine:
    """Where the output says what telemetry told."""
    text = plain(hit.text)
    if hit.found is not None:
        for found, _ in material.exceptions:
            if found.line and _is_same(found, hit.found):
                return EvidenceLine(found.line, text)
    return EvidenceLine(None, text)


def _suggestions(hit: Hit, evidence: Evidence, where: CodeHint | None) -> tuple[Suggestion, ...]:
    offered: list[dict[str, Any]] = []
    evidence = msgspec.structs.replace(evidence, told=f"{hit.text}\n{hit.found.block if hit.found else ''}")
    suggestions = []
    for advice in hit.rule.suggestions:
        changes = _changes(advice, hit, evidence)
        if changes == {}:
            continue
        if changes is not None and changes in offered:
            changes = None
        offered += [changes] if changes is not None else []
        hint = where if advice.in_code else None
        if text := fill(advice.text, hit.captured):
            suggestions.append(Suggestion(text=text, changes=changes, hint=hint, trust=advice.trust))
    return tuple(suggestions)


def _changes(advice: SuggestionTemplate, hit: Hit, evidence: Evidence) -> dict[str, Any] | None:
    """What a piece of advice changes in this run's plan; `None`: nothing; empty: all of it is so already."""
    computed = COMPUTED[advice.computed](evidence) if advice.computed else _filled(advice.changes, hit.captured)
    if computed is None:
        return None
    is_so = all(evidence.value(name) == value for name, value in computed.items())
    return {} if is_so else dict(computed)


def _filled(changes: dict[str, Any] | None, captured: Mapping[str, str]) -> dict[str, Any] | None:
    if changes is None or not any(isinstance(value, str) and "{" in value for value in changes.values()):
        return changes
    try:
        return {
            name: value.format_map(captured) if isinstance(value, str) else value for name, value in changes.items()
        }
    except KeyError:
        return None
