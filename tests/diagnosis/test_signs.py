"""No sign without evidence: each holds on a text of its own category, and that text is told as that category."""

from __future__ import annotations

import pytest

from lightning_tui.diagnosis import Evidence, Output, diagnose
from tests.diagnosis.evidence import Example, rule_examples, sign_examples, signs_without
from tests.diagnosis.raised import ERRORS
from tests.diagnosis.test_further_texts import FAILURES
from tests.diagnosis.test_raised import raised

EXAMPLES = sign_examples()


def test_each_sign_has_an_example() -> None:
    real = [Example(tuple(ERRORS[name][0].split("|")), text, "raised") for name, text in raised().items()]
    further = [Example((category,), text, "further") for category, text in FAILURES]
    missing = list(signs_without([*rule_examples(), *EXAMPLES, *real, *further]))
    assert [(rule.category, sign.has, sign.types) for rule, sign in missing] == []


@pytest.mark.parametrize("category", sorted({example.categories[0] for example in EXAMPLES}))
def test_the_example_of_a_sign_is_told_as_its_category(category: str) -> None:
    for example in EXAMPLES:
        if example.categories == (category,):
            found = [told.category for told in diagnose(Evidence(outputs=(Output(example.text),)))]
            assert category in found, example.text
            assert example.source, example.text
