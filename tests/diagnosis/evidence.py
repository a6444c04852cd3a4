"""Which signs of the rules hold on which example, and how was that made?

`signs.jsonl` holds examples beside the rules' own and the errors that are raised for real. Their `origin`: `captured` from
a real run; `template`: a library's own format string, found in its source by search, its places filled with made-up
values; `recalled`: written down as the named source is known to say it, and not looked up.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from lightning_tui.diagnosis.exceptions import read_stream
from lightning_tui.diagnosis.matching import Material, holds, material_of
from lightning_tui.diagnosis.model import OutputTail, Rule, Sign
from lightning_tui.diagnosis.rules import all_rules
from lightning_tui.diagnosis.text import read_streams

SIGNS = Path(__file__).with_name("signs.jsonl")


class Example(NamedTuple):
    """A text, what is right to say of it, and where it comes from."""

    categories: tuple[str, ...]
    text: str
    source: str
    origin: str = "rule"


def sign_examples() -> list[Example]:
    """Those of `signs.jsonl`."""
    entries = (json.loads(line) for line in SIGNS.read_text().splitlines())
    return [Example((entry["category"],), entry["text"], entry["source"], entry["origin"]) for entry in entries]


def rule_examples() -> list[Example]:
    """Those that stand in the rules."""
    return [Example((rule.category,), text, "the rule") for rule in all_rules() for text in rule.examples]


def signs_without(examples: Iterable[Example]) -> Iterator[tuple[Rule, Sign]]:
    """The signs that hold on no example of their own category."""
    of_category: dict[str, list[Material]] = defaultdict(list)
    for example in examples:
        material = material_of_text(example.text)
        for category in example.categories:
            of_category[category].append(material)
    for rule in all_rules():
        for sign in rule.signs:
            if not any(holds(rule, sign, material) for material in of_category[rule.category]):
                yield rule, sign


def material_of_text(text: str) -> Material:
    """What signs are looked for in."""
    return material_of([(read_stream(stream), stream.rank) for stream in read_streams(OutputTail(text))], [])
