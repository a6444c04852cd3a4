"""How often is the diagnosis right on a collection of known error texts? Prints the share and every miss.

    python tools/diagnosis_score.py FILE.jsonl [FILE.jsonl ...] [--only IDS.json] [--without IDS.json]

Each line of a file: `{"id", "category", "text", "also": [...]}`; `none` means that nothing is wrong. A diagnosis is
right when its first category is the case's own or one of `also`; for `none` when there is no diagnosis at all.
"""

from __future__ import annotations

# ruff: noqa: T201
import argparse
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from lightning_tui.diagnosis import Evidence, OutputTail, diagnose
from tests.diagnosis.evidence import Example, rule_examples, sign_examples, signs_without
from tests.diagnosis.raised import ERRORS
from tests.diagnosis.test_further_texts import FAILURES
from tests.diagnosis.test_raised import raised


def main() -> None:
    """Read, diagnose, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--only", type=Path, help="JSON list of ids to look at")
    parser.add_argument("--without", type=Path, help="JSON list of ids to leave out")
    arguments = parser.parse_args()
    cases = [json.loads(line) for path in arguments.files for line in path.read_text().splitlines() if line.strip()]
    if arguments.only:
        chosen = set(json.loads(arguments.only.read_text()))
        cases = [case for case in cases if case["id"] in chosen]
    if arguments.without:
        left_out = set(json.loads(arguments.without.read_text()))
        cases = [case for case in cases if case["id"] not in left_out]
    _print_score(cases)


def _print_score(cases: list[dict[str, Any]]) -> None:
    results = [(case, [d.category for d in diagnose(_evidence(case))]) for case in cases]
    misses = [(case, found) for case, found in results if not is_right(case, found)]
    for case, found in misses:
        print(f"miss  {case['id']:<28} {case['category']:<32} got {', '.join(found[:4]) or 'nothing'}")
    exact = sum(
        found[:1] == [case["category"]] or (case["category"] == "none" and not found) for case, found in results
    )
    nothing = [(case, found) for case, found in results if case["category"] == "none"]
    right = len(results) - len(misses)
    print(f"right {right}/{len(results)} = {right / max(1, len(results)):.1%}, exactly the named category {exact}")
    print(f"nothing said where nothing is wrong: {sum(not found for _, found in nothing)}/{len(nothing)}")
    without, recalled = _unproved(cases)
    print(f"signs without an example: {without}, and with one alone that was not looked up: {recalled - without}")


def _unproved(cases: list[dict[str, Any]]) -> tuple[int, int]:
    """How many signs hold on no example or case of their category; and how many where recalled ones do not count."""
    known = [Example((case["category"], *case.get("also", ())), case["text"], "known") for case in cases]
    known += [Example((category,), text, "further") for category, text in FAILURES]
    known += [Example(tuple(ERRORS[name][0].split("|")), text, "raised") for name, text in raised().items()]
    known += rule_examples()
    ours = sign_examples()
    firm = [example for example in ours if example.origin != "recalled"]
    return len(list(signs_without([*known, *ours]))), len(list(signs_without([*known, *firm])))


def is_right(case: dict[str, Any], found: list[str]) -> bool:
    """Whether the first category is a fair answer."""
    if case["category"] == "none":
        return not found
    return bool(found) and found[0] in (case["category"], *case.get("also", ()))


def _evidence(case: dict[str, Any]) -> Evidence:
    return Evidence(outputs=(OutputTail(case["text"]),))


if __name__ == "__main__":
    main()
