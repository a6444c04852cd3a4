"""Where are we? A table of environments, with the traps: variables that prove nothing, values that only look right."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_tui.environment import Evidence, Software, detect_platform
from lightning_tui.environment.platform import platform_with_software

SPACE = {"LIGHTNING_CLOUD_SPACE_ID": "01h-space"}
STUDIO = {**SPACE, "LIGHTNING_INTERACTIVE": "true"}
MACHINE = {"LIGHTNING_CLOUD_PROJECT_ID": "01h-project", "LIGHTNING_CLUSTER_ID": "lightning-public-prod"}
JOB = {"LIGHTNING_CLOUD_APP_NAME": "train", "LIGHTNING_CLOUD_WORK_ID": "01h-work"}
SSH = {"SSH_CONNECTION": "10.0.0.1 50000 10.0.0.2 22"}
STUDIO_HOME = "teamspace/studios/this_studio/"


class Case(NamedTuple):
    name: str
    environ: Mapping[str, str]
    family: str
    kind: str
    facets: tuple[str, ...] = ()
    files: Mapping[str, str] = {}
    """Below the root; a name that ends in / is a folder."""


CASES = [
    Case("nothing", {}, "other", "local"),
    Case("studio", STUDIO, "lightning_cloud", "studio"),
    Case(
        "studio over ssh in tmux", {**STUDIO, **SSH, "TMUX": "/tmp/t,1,0"}, "lightning_cloud", "studio", ("ssh", "tmux")
    ),
    Case("studio in a container", STUDIO, "lightning_cloud", "studio", ("container",), {".dockerenv": ""}),
    Case("True is not true", {**SPACE, "LIGHTNING_INTERACTIVE": "True"}, "lightning_cloud", "lightning-machine"),
    Case("1 is not true", {**SPACE, "LIGHTNING_INTERACTIVE": "1"}, "lightning_cloud", "lightning-machine"),
    Case("space alone", SPACE, "lightning_cloud", "lightning-machine"),
    Case("interactive alone proves nothing", {"LIGHTNING_INTERACTIVE": "true"}, "other", "local"),
    Case("empty is unset", {"LIGHTNING_CLOUD_SPACE_ID": "", "LIGHTNING_INTERACTIVE": "true"}, "other", "local"),
    Case("compute node", {"LIGHTNING_NODE_ID": "node-1"}, "lightning_compute", "lightning-machine"),
    Case("space before node", {**STUDIO, "LIGHTNING_NODE_ID": "n"}, "lightning_cloud", "studio"),
    Case("machine by its ids", MACHINE, "lightning_cloud", "lightning-machine"),
    Case("project without cluster", {"LIGHTNING_CLOUD_PROJECT_ID": "p"}, "other", "local"),
    Case("managed job", JOB, "lightning_compute", "lightning-job"),
    Case("managed job with its ids", {**MACHINE, **JOB}, "lightning_compute", "lightning-job"),
    Case("job of a studio", {**SPACE, **JOB}, "lightning_cloud", "lightning-job"),
    Case("job by artifacts", {**MACHINE, "LIGHTNING_ARTIFACTS_DIR": "/a"}, "lightning_compute", "lightning-job"),
    Case("artifacts folder alone", {"LIGHTNING_ARTIFACTS_DIR": "/a"}, "other", "local"),
    Case("work id alone", {"LIGHTNING_CLOUD_WORK_ID": "w"}, "other", "local"),
    Case("home of a studio, variables stripped", {}, "lightning_cloud", "lightning-machine", (), {STUDIO_HOME: ""}),
    Case("only the url", {"LIGHTNING_CLOUD_URL": "https://lightning.ai:443"}, "other", "local"),
    Case("only an API key", {"LIGHTNING_API_KEY": "secret", "LIGHTNING_USER_ID": "me"}, "other", "local"),
    Case("only names", {"LIGHTNING_TEAMSPACE": "t", "LIGHTNING_ORG": "o"}, "other", "local"),
    Case("others with the prefix", {"LIGHTNING_DEBUG": "1", "LIGHTNING_STUDIO_ID": "s"}, "other", "local"),
    Case("our own variables", {"LIGHTNING_TUI_HOME": "/runs", "LIGHTNING_PERSISTENT_PATH": "/p"}, "other", "local"),
    Case("slurm", {"SLURM_JOB_ID": "42", "SLURM_JOB_NAME": "train"}, "other", "slurm", ("slurm",)),
    Case("slurm tools but no job", {"SLURM_CONF": "/etc/slurm.conf"}, "other", "local"),
    Case("slurm in a container", {"SLURM_JOB_ID": "4"}, "other", "slurm", ("container", "slurm"), {".dockerenv": ""}),
    Case("torchrun", {"TORCHELASTIC_RUN_ID": "none"}, "other", "torchelastic", ("torchelastic",)),
    Case(
        "torchrun in slurm",
        {"SLURM_JOB_ID": "4", "TORCHELASTIC_RUN_ID": "4"},
        "other",
        "slurm",
        ("slurm", "torchelastic"),
    ),
    Case("kubernetes", {"KUBERNETES_SERVICE_HOST": "10.1.2.3"}, "other", "kubernetes", ("container",)),
    Case("colab", {"COLAB_RELEASE_TAG": "r1", "JPY_PARENT_PID": "7"}, "other", "colab", ("notebook",)),
    Case("kaggle", {"KAGGLE_KERNEL_RUN_TYPE": "Batch"}, "other", "kaggle", ("notebook",)),
    Case("jupyter", {"JPY_PARENT_PID": "7"}, "other", "jupyter", ("notebook",)),
    Case("docker", {}, "other", "container", ("container",), {".dockerenv": ""}),
    Case("podman", {}, "other", "container", ("container",), {"run/.containerenv": ""}),
    Case("apptainer", {"APPTAINER_CONTAINER": "/img.sif"}, "other", "container", ("container",)),
    Case("cgroup", {}, "other", "container", ("container",), {"proc/1/cgroup": "1:cpu:/kubepods/burstable/pod1\n"}),
    Case("no container", {}, "other", "local", (), {"proc/1/cgroup": "0::/init.scope\n"}),
    Case("wsl", {}, "other", "wsl", (), {"proc/sys/kernel/osrelease": "5.15.1-microsoft-standard-WSL2\n"}),
    Case("ssh in screen", {**SSH, "STY": "1234.pts-0.host"}, "other", "local", ("ssh", "screen")),
]


def build_root(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("/"):
            path.mkdir()
        else:
            path.write_text(text)
    return root


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_platform(case: Case, tmp_path: Path) -> None:
    platform = detect_platform(case.environ, build_root(tmp_path, case.files))
    assert (platform.family, platform.kind) == (case.family, case.kind)
    assert platform.facets == case.facets
    assert platform.reason is None
    assert bool(platform.evidence) == (case.kind != "local")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_evidence_shows_no_value_that_is_anybodys_business(case: Case, tmp_path: Path) -> None:
    platform = detect_platform(case.environ, build_root(tmp_path, case.files))
    shown = {"LIGHTNING_INTERACTIVE", "SLURM_JOB_ID", "SLURM_JOB_NAME", "KAGGLE_KERNEL_RUN_TYPE", "COLAB_RELEASE_TAG"}
    for evidence in platform.evidence:
        if evidence.name in case.environ and evidence.name not in shown:
            assert evidence.value == "set"


def test_evidence_of_a_studio_says_what_was_seen(tmp_path: Path) -> None:
    platform = detect_platform(STUDIO, tmp_path)
    assert platform.label == "Lightning Studio"
    assert platform.evidence == (Evidence("LIGHTNING_CLOUD_SPACE_ID", "set"), Evidence("LIGHTNING_INTERACTIVE", "true"))


def test_a_value_that_should_be_harmless_and_does_not_look_it_is_not_shown(tmp_path: Path) -> None:
    environ = {"SLURM_JOB_ID": "42", "SLURM_JOB_NAME": "\x1b[31m rm -rf / \x1b[0m"}
    assert Evidence("SLURM_JOB_NAME", "set") in detect_platform(environ, tmp_path).evidence


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
