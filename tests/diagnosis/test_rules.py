"""The rules as data: each recognises its own examples, suggests only what a plan can hold, and cannot run away."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lightning_tui.diagnosis import Evidence, OutputTail, diagnose
from lightning_tui.diagnosis.changes import COMPUTED
from lightning_tui.diagnosis.model import Rule, Sign
from lightning_tui.diagnosis.rules import all_rules
from lightning_tui.plan import plan_from_mapping

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import sre_parse

RULES = all_rules()
RULE_OF = {rule.category: rule for rule in RULES}
EXAMPLES = [(rule.category, example) for rule in RULES for example in rule.examples]
WITHOUT_TEXT = {"stall", "memory-growth", "user-exception"}
"""Found in the record of a run, or by having no rule."""


def categories(text: str) -> list[str]:
    return [found.category for found in diagnose(Evidence(outputs=(OutputTail(text),)))]


@pytest.mark.parametrize(("category", "example"), EXAMPLES, ids=[f"{c}-{n}" for n, (c, _) in enumerate(EXAMPLES)])
def test_a_rule_recognises_its_examples(category: str, example: str) -> None:
    assert categories(example)[:1] == [category]


@pytest.mark.parametrize(("category", "example"), EXAMPLES, ids=[f"{c}-{n}" for n, (c, _) in enumerate(EXAMPLES)])
def test_an_example_is_recognised_amid_a_log(category: str, example: str) -> None:
    """Colours, progress bars, benign warnings, a rank's prefix and the end of torchrun around it."""
    lines = [
        "GPU available: True (cuda), used: True",
        "Epoch 0:  50%|█████     | 1/2 [00:00<00:00, 10.1it/s, train_error=2.34]\rEpoch 0: 100%|██| 2/2 [00:00<00:00, 9it/s]",
        "\x1b[33m/x/site-packages/torch/cuda/__init__.py:51: FutureWarning: The pynvml package is deprecated.\x1b[0m",
        *(f"[rank1]: {line}" for line in example.split("\n")),
        "INFO 0 errors so far",
        "torch.distributed.elastic.multiprocessing.errors.ChildFailedError:",
        "  rank      : 1 (local_rank: 1)",
        "  exitcode  : 1 (pid: 4711)",
    ]
    found = diagnose(Evidence(outputs=(OutputTail("\n".join(lines)),)))
    told = [each.category for each in found if each.severity == RULE_OF[category].severity or each.category == category]
    assert told[0] == category
    line = next(each.evidence.line for each in found if each.category == category)
    assert line is None or line >= 4


def test_each_category_has_one_rule_and_says_something_useful() -> None:
    names = [rule.category for rule in RULES]
    assert len(set(names)) == len(names)
    for rule in RULES:
        assert rule.title, rule.category
        assert rule.suggestions, rule.category
        assert rule.docs is not None, rule.category
        assert rule.docs.startswith("https://"), rule.category
        assert rule.examples or rule.category in WITHOUT_TEXT, rule.category


def test_suggested_changes_can_stand_in_a_plan() -> None:
    for rule in RULES:
        for advice in rule.suggestions:
            plan_from_mapping(advice.changes or {})
            assert advice.computed is None or advice.computed in COMPUTED, (rule.category, advice.computed)


def signs() -> Iterator[tuple[Rule, Sign]]:
    return ((rule, sign) for rule in RULES for sign in rule.signs)


def test_substrings_are_lower_case_and_a_line_needs_one() -> None:
    for rule, sign in signs():
        for part in (*sign.has, *sign.lacks, *sign.elsewhere, *sign.nowhere):
            assert part == part.lower(), (rule.category, part)
            assert part, rule.category
        if sign.where != "exception":
            assert sign.has, rule.category
            assert len(sign.has[0]) >= 3, (rule.category, sign.has)
        assert sign.has or sign.types or sign.frame or sign.elsewhere, rule.category


def test_a_pattern_that_is_a_condition_matches_something() -> None:
    """One that also matches nothing would match at once and capture nothing; that is what `detail` is for."""
    for rule, sign in signs():
        for pattern in (sign.pattern, sign.detail):
            assert pattern is None or re.compile(pattern).match("") is None, (rule.category, pattern)


UNBOUNDED = int(sre_parse.MAXREPEAT)


def repeats(parsed: Any, inside: int = 0) -> Iterator[tuple[int, int]]:
    """How often each repetition of a pattern may repeat, and how much the repetitions around it multiply that."""
    for operation, argument in parsed:
        if operation in (sre_parse.MAX_REPEAT, sre_parse.MIN_REPEAT):
            _, most, inner = argument
            yield int(most), inside
            yield from repeats(inner, max(inside, int(most)))
        elif operation is sre_parse.SUBPATTERN:
            yield from repeats(argument[3], inside)
        elif operation is sre_parse.BRANCH:
            for branch in argument[1]:
                yield from repeats(branch, inside)
        elif operation in (sre_parse.ASSERT, sre_parse.ASSERT_NOT):
            yield from repeats(argument[1], inside)


def all_patterns() -> list[str]:
    """The rules' own, and those with which the texts are read."""
    from lightning_tui.diagnosis import (
        configs,
        engine,
        exceptions,
        growth,
        matching,
        prefixes,
        printers,
        report,
        templates,
        text,
    )
    from lightning_tui.text import safe

    read = [
        p.pattern
        for module in (configs, engine, exceptions, growth, matching, prefixes, printers, report, templates, text, safe)
        for p in vars(module).values()
        if isinstance(p, re.Pattern) and isinstance(p.pattern, str)
    ]
    return [p for _, sign in signs() for p in (sign.pattern, sign.detail) if p] + read


def test_no_repetition_without_bound_stands_inside_another() -> None:
    """That is what makes a pattern's time explode; within another one only small bounds are allowed."""
    for pattern in all_patterns():
        for most, inside in repeats(sre_parse.parse(pattern)):
            assert not (inside > 1 and most == UNBOUNDED), pattern
            assert inside <= 2100, pattern


HOSTILE = textwrap.dedent(
    r"""
    import re, sys, time
    from tests.diagnosis.test_rules import all_patterns
    parts = [" ", "a", "0", "0.", "File ", "loss nan ", "[0,", "GPU 0 1.00 GiB ", "error: ", "x=", "'", "tried to allocate ", "a.b", "({[", "12 of size "]
    for pattern in all_patterns():
        compiled = re.compile(pattern, re.IGNORECASE)
        for part in parts:
            compiled.search(part * (8000 // len(part)))
            compiled.search("RuntimeError: CUDA out of memory. " + part * (8000 // len(part)) + "!")
    """
)


def test_no_pattern_runs_away_on_hostile_text() -> None:
    """In a process of its own that is ended when it hangs: thousands of searches take a moment, a runaway takes ages."""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", HOSTILE], cwd=root, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_documentation_names_every_category() -> None:
    page = (Path(__file__).parents[2] / "docs" / "diagnosis.md").read_text()
    assert [rule.category for rule in RULES if f"`{rule.category}`" not in page] == []
