"""Which platform is this? A pure function of the environment's variables and of a few paths that a platform leaves.

Variables are asked for by their full names: people and unrelated programs set others that begin the same way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from lightning_tui.environment.model import FactEvidence, Platform, Software
from lightning_tui.persistent import STUDIO_HOME

INTERACTIVE_JOB_NAMES = frozenset({"bash", "interactive"})
"""Names of Slurm jobs that Lightning takes for a person at a shell (its `_is_slurm_interactive_mode`)."""


def detect_platform(environ: Mapping[str, str], root: Path = Path("/")) -> Platform:
    """Say where we are, with what shows it; where looking fails, the platform is `unknown` and says why."""
    try:
        return _detect(_Signs(environ, root))
    except (OSError, TypeError, ValueError) as error:
        reason = f"looking for signs of a platform failed: {error}"
        return Platform(family="unknown", kind="unknown", label="unknown platform", reason=reason)


def platform_with_software(platform: Platform, software: Software) -> Platform:
    """Take into account that the program's interpreter has Lightning installed."""
    if platform.family != "other" or not software.has_lightning:
        return platform
    name = "lightning" if software.lightning else "pytorch-lightning"
    found = FactEvidence(name, software.lightning or software.pytorch_lightning or "")
    return msgspec.structs.replace(platform, family="lightning_local", evidence=(*platform.evidence, found))


class _Signs:
    """Reads variables and paths, and keeps those that were there as evidence."""

    def __init__(self, environ: Mapping[str, str], root: Path) -> None:
        self._environ = environ
        self._root = root

    def variables(self, *names: str) -> tuple[FactEvidence, ...]:
        """Those of the variables that are set and not empty."""
        return tuple(FactEvidence(name, _shown(name, value)) for name in names if (value := self._environ.get(name)))

    def value(self, name: str) -> str:
        return self._environ.get(name, "")

    def paths(self, *paths: str) -> tuple[FactEvidence, ...]:
        """Those of the paths (below the root) that exist.

        Raises:
            OSError: a path can neither be found nor be found missing (a broken mount).
        """
        return tuple(FactEvidence(f"/{path}", "exists") for path in paths if _exists(self._root / path))

    def text(self, path: str) -> str:
        try:
            return (self._root / path).read_text(errors="replace")
        except OSError:
            return ""


class _PlatformRule(NamedTuple):
    """A kind of platform and how to know it: evidence, or nothing."""

    kind: str
    label: str
    detect: Callable[[_Signs], tuple[FactEvidence, ...]]


def _detect(signs: _Signs) -> Platform:
    platform = _lightning(signs) or _elsewhere(signs)
    facets = {facet: found for facet, look in _FACETS if (found := look(signs))}
    others = dict.fromkeys(evidence for found in facets.values() for evidence in found)
    return msgspec.structs.replace(
        platform,
        facets=tuple(facets),
        facet_evidence=tuple(evidence for evidence in others if evidence not in platform.evidence),
    )


def _lightning(signs: _Signs) -> Platform | None:
    """Recognize a machine of Lightning AI's; a Studio by the SDK's own test, which compares with "true" exactly."""
    space = signs.variables("LIGHTNING_CLOUD_SPACE_ID")
    node = signs.variables("LIGHTNING_NODE_ID")
    machine = _all(signs, "LIGHTNING_CLOUD_PROJECT_ID", "LIGHTNING_CLUSTER_ID")
    job = _job(signs, is_machine=bool(machine or space))
    found = (*space, *node, *machine, *job) or signs.paths(STUDIO_HOME)
    if not found:
        return None
    is_compute = bool(node or job) and not space
    kind, label = "lightning-machine", "Lightning compute node" if is_compute else "Lightning machine"
    if space and signs.value("LIGHTNING_INTERACTIVE") == "true":
        kind, label = "studio", "Lightning Studio"
    elif job:
        kind, label = "lightning-job", "Lightning job"
    return Platform(
        family="lightning_compute" if is_compute else "lightning_cloud",
        kind=kind,
        label=label,
        evidence=(*found, *signs.variables("LIGHTNING_INTERACTIVE")),
    )


def _job(signs: _Signs, is_machine: bool) -> tuple[FactEvidence, ...]:
    """Evidence of a batch job: what the platform's own logger asks for, or where a job's artifacts go."""
    named = _all(signs, "LIGHTNING_CLOUD_APP_NAME", "LIGHTNING_CLOUD_WORK_ID")
    if not is_machine:
        return named
    numbered = _all(signs, "LIGHTNING_CLOUD_APP_ID", "LIGHTNING_CLOUD_WORK_ID")
    return (*(named or numbered), *signs.variables("LIGHTNING_ARTIFACTS_DIR"))


def _elsewhere(signs: _Signs) -> Platform:
    for rule in _RULES:
        if evidence := rule.detect(signs):
            label = _slurm_label(signs) if rule.kind == "slurm" else rule.label
            return Platform(family="other", kind=rule.kind, label=label, evidence=evidence)
    return Platform(family="other", kind="local", label="local machine")


def _all(signs: _Signs, *names: str) -> tuple[FactEvidence, ...]:
    found = signs.variables(*names)
    return found if len(found) == len(names) else ()


def _any_of(*names: str) -> Callable[[_Signs], tuple[FactEvidence, ...]]:
    return lambda signs: signs.variables(*names)


def _container(signs: _Signs) -> tuple[FactEvidence, ...]:
    names = ("SINGULARITY_CONTAINER", "APPTAINER_CONTAINER", "KUBERNETES_SERVICE_HOST", "container")
    found = (*signs.variables(*names), *signs.paths(".dockerenv", "run/.containerenv"))
    if found:
        return found
    group = re.search(r"docker|kubepods|containerd|libpod|lxc", signs.text("proc/1/cgroup"))
    return (FactEvidence("/proc/1/cgroup", group[0]),) if group else ()


def _wsl(signs: _Signs) -> tuple[FactEvidence, ...]:
    kernel = signs.text("proc/sys/kernel/osrelease").strip()
    found = (FactEvidence("/proc/sys/kernel/osrelease", kernel),) if "microsoft" in kernel.lower() else ()
    return (*signs.variables("WSL_DISTRO_NAME"), *found)


def _slurm(signs: _Signs) -> tuple[FactEvidence, ...]:
    if not signs.value("SLURM_JOB_ID"):
        return ()
    return (
        *signs.variables("SLURM_JOB_ID", "SLURM_JOB_NAME"),
        *signs.variables("SLURM_PTY_PORT"),
        *_slurm_batch(signs),
    )


def _slurm_interactive(signs: _Signs) -> tuple[FactEvidence, ...]:
    """Evidence of a person in the job: the job's name, or that srun gave it a terminal (--pty)."""
    if not signs.value("SLURM_JOB_ID"):
        return ()
    name = signs.variables("SLURM_JOB_NAME") if signs.value("SLURM_JOB_NAME") in INTERACTIVE_JOB_NAMES else ()
    return name or signs.variables("SLURM_PTY_PORT")


def _slurm_batch(signs: _Signs) -> tuple[FactEvidence, ...]:
    """Evidence of a script of sbatch's: it sets ENVIRONMENT to BATCH."""
    is_batch = signs.value("SLURM_JOB_ID") and signs.value("ENVIRONMENT") == "BATCH" and not _slurm_interactive(signs)
    return signs.variables("ENVIRONMENT") if is_batch else ()


def _slurm_label(signs: _Signs) -> str:
    if _slurm_interactive(signs):
        return "interactive Slurm job"
    return "Slurm batch job" if _slurm_batch(signs) else "Slurm allocation"


_NOTEBOOK = ("JPY_PARENT_PID", "JPY_SESSION_NAME")
_COLAB = ("COLAB_RELEASE_TAG", "COLAB_GPU", "COLAB_JUPYTER_IP")

_RULES = (
    _PlatformRule("colab", "Google Colab", _any_of(*_COLAB)),
    _PlatformRule("kaggle", "Kaggle notebook", _any_of("KAGGLE_KERNEL_RUN_TYPE")),
    _PlatformRule("slurm", "Slurm allocation", _slurm),
    _PlatformRule("torchelastic", "torchrun worker", _any_of("TORCHELASTIC_RUN_ID")),
    _PlatformRule("kubernetes", "Kubernetes pod", _any_of("KUBERNETES_SERVICE_HOST")),
    _PlatformRule("jupyter", "Jupyter", _any_of(*_NOTEBOOK)),
    _PlatformRule("container", "container", _container),
    _PlatformRule("wsl", "Windows Subsystem for Linux", _wsl),
)
"""The most telling first: Colab and Kaggle run in containers too."""

_FACETS: tuple[tuple[str, Callable[[_Signs], tuple[FactEvidence, ...]]], ...] = (
    ("ssh", _any_of("SSH_CONNECTION", "SSH_TTY", "SSH_CLIENT")),
    ("tmux", _any_of("TMUX")),
    ("screen", _any_of("STY")),
    ("container", _container),
    ("kubernetes", _any_of("KUBERNETES_SERVICE_HOST")),
    ("wsl", _wsl),
    ("slurm", _slurm),
    ("interactive", _slurm_interactive),
    ("batch", _slurm_batch),
    ("torchelastic", _any_of("TORCHELASTIC_RUN_ID")),
    ("notebook", _any_of(*_NOTEBOOK, *_COLAB, "KAGGLE_KERNEL_RUN_TYPE")),
)

_HARMLESS = frozenset(
    {
        "ENVIRONMENT",
        "LIGHTNING_INTERACTIVE",
        "SLURM_JOB_ID",
        "SLURM_JOB_NAME",
        "KAGGLE_KERNEL_RUN_TYPE",
        "COLAB_RELEASE_TAG",
        "WSL_DISTRO_NAME",
        "container",
    }
)


def _shown(name: str, value: str) -> str:
    """Return the value where it is harmless and looks it; of all others only that they are set."""
    return value if name in _HARMLESS and re.fullmatch(r"[\w.+-]{1,40}", value) else "set"


def _exists(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return False
    return True
