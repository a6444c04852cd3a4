"""What shows where we are, and what is never shown. Which environment is which stands in `test_matrix`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_tui.environment import FactEvidence, Software, detect_platform
from lightning_tui.environment.platform import platform_with_software
from tests.environment.machines import build_root
from tests.environment.test_matrix import CASES, JOB, MACHINE, STUDIO, Case


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_evidence_shows_no_value_that_is_anybodys_business(case: Case, tmp_path: Path) -> None:
    platform = detect_platform(case.environ, build_root(tmp_path, case.files))
    assert platform.reason is None
    assert bool(platform.evidence) == (case.kind != "local")
    shown = {"LIGHTNING_INTERACTIVE", "SLURM_JOB_ID", "SLURM_JOB_NAME", "KAGGLE_KERNEL_RUN_TYPE", "COLAB_RELEASE_TAG"}
    for evidence in (*platform.evidence, *platform.facet_evidence):
        if evidence.name in case.environ and evidence.name not in {*shown, "ENVIRONMENT"}:
            assert evidence.value == "set"


def test_evidence_of_a_studio_says_what_was_seen(tmp_path: Path) -> None:
    platform = detect_platform(STUDIO, tmp_path)
    assert platform.label == "Lightning Studio"
    assert platform.evidence == (
        FactEvidence("LIGHTNING_CLOUD_SPACE_ID", "set"),
        FactEvidence("LIGHTNING_INTERACTIVE", "true"),
    )


def test_evidence_of_facets_is_told_beside_the_platforms_own(tmp_path: Path) -> None:
    platform = detect_platform({**STUDIO, "SSH_TTY": "/dev/pts/1", "SLURM_JOB_ID": "7"}, tmp_path)
    assert platform.facets == ("ssh", "slurm")
    assert platform.facet_evidence == (FactEvidence("SSH_TTY", "set"), FactEvidence("SLURM_JOB_ID", "7"))
    assert detect_platform({"SLURM_JOB_ID": "7"}, tmp_path).facet_evidence == ()


def test_a_value_that_should_be_harmless_and_does_not_look_it_is_not_shown(tmp_path: Path) -> None:
    environ = {"SLURM_JOB_ID": "42", "SLURM_JOB_NAME": "\x1b[31m rm -rf / \x1b[0m"}
    assert FactEvidence("SLURM_JOB_NAME", "set") in detect_platform(environ, tmp_path).evidence


@settings(max_examples=25)
@given(st.dictionaries(st.sampled_from(["LIGHTNING_API_KEY", "LIGHTNING_AUTH_TOKEN", "LIGHTNING_USER_ID"]), st.text()))
def test_no_secret_ever_shows(secrets: dict[str, str]) -> None:
    platform = detect_platform({**STUDIO, **MACHINE, **JOB, **secrets}, Path("/nowhere"))
    assert not {evidence.name for evidence in platform.evidence} & set(secrets)


def test_where_looking_fails_the_platform_is_unknown_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken_mount(path: Path, **_: object) -> None:
        raise OSError(107, "Transport endpoint is not connected", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", broken_mount)
        platform = detect_platform({}, tmp_path)
    assert (platform.family, platform.kind) == ("unknown", "unknown")
    assert platform.reason is not None
    assert "Transport endpoint is not connected" in platform.reason


def test_a_folder_that_may_not_be_looked_into_is_no_evidence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(path: Path, **_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", forbidden)
        assert detect_platform({}, tmp_path).family == "other"


@pytest.mark.parametrize(
    ("environ", "software", "family"),
    [
        ({}, Software(interpreter="py", lightning="2.6.6"), "lightning_local"),
        ({}, Software(interpreter="py", pytorch_lightning="2.5.0"), "lightning_local"),
        ({"SLURM_JOB_ID": "1"}, Software(interpreter="py", lightning="2.6.6"), "lightning_local"),
        ({}, Software(interpreter="py", torch="2.13.0"), "other"),
        ({}, Software(interpreter="py", error="no such file"), "other"),
        (STUDIO, Software(interpreter="py", lightning="2.6.6"), "lightning_cloud"),
    ],
)
def test_lightning_in_the_programs_interpreter(
    environ: Mapping[str, str], software: Software, family: str, tmp_path: Path
) -> None:
    before = detect_platform(environ, tmp_path)
    after = platform_with_software(before, software)
    assert after.family == family
    assert after.kind == before.kind
    assert (len(after.evidence) > len(before.evidence)) == (family == "lightning_local")
