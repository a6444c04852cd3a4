"""Signs and their evidence: how many have none is counted and may only fall; an example is told as its category."""

from __future__ import annotations

import pytest

from lightning_tui.diagnosis import Evidence, OutputTail, diagnose
from tests.diagnosis.evidence import Example, rule_examples, sign_examples, signs_without
from tests.diagnosis.raised import ERRORS
from tests.diagnosis.test_further_texts import FAILURES
from tests.diagnosis.test_raised import raised

EXAMPLES = sign_examples()


MOST_WITHOUT = 141
"""Signs on no example at all. To be lowered as they get one or go; never raised."""
MOST_RECALLED = 340
"""Signs on no example, or on a recalled one alone."""


def test_signs_without_evidence_do_not_become_more() -> None:
    real = [Example(tuple(ERRORS[name][0].split("|")), text, "raised") for name, text in raised().items()]
    real += [Example((category,), text, "further") for category, text in FAILURES]
    missing = [
        (rule.category, sign.has, sign.types) for rule, sign in signs_without([*rule_examples(), *EXAMPLES, *real])
    ]
    assert len(missing) <= MOST_WITHOUT, missing
    firm = [example for example in EXAMPLES if example.origin != "recalled"]
    assert len(list(signs_without([*rule_examples(), *firm, *real]))) <= MOST_RECALLED


@pytest.mark.parametrize("category", sorted({example.categories[0] for example in EXAMPLES}))
def test_the_example_of_a_sign_is_told_as_its_category(category: str) -> None:
    for example in EXAMPLES:
        if example.categories == (category,):
            found = [told.category for told in diagnose(Evidence(outputs=(OutputTail(example.text),)))]
            assert category in found, example.text
            assert example.source, example.text
            assert example.origin in ("captured", "template", "recalled"), example.text
