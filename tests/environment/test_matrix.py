"""Whole environments, from the variables and files of each to family, kind, facets and findings: one table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from lightning_tui.environment import Software, as_json, as_text, inspect_environment, with_software
from lightning_tui.gpus import DriverFacts, GpuProcess, GpuSample
from tests.environment.machines import GIB, FakeGpus, build_root, gpu, limits_file, mount_line

SPACE = {"LIGHTNING_CLOUD_SPACE_ID": "01h-space"}
STUDIO = {**SPACE, "LIGHTNING_INTERACTIVE": "true"}
MACHINE = {"LIGHTNING_CLOUD_PROJECT_ID": "01h-project", "LIGHTNING_CLUSTER_ID": "lightning-public-prod"}
JOB = {"LIGHTNING_CLOUD_APP_NAME": "train", "LIGHTNING_CLOUD_WORK_ID": "01h-work"}
SECRETS = {
    "LIGHTNING_API_KEY": "hidden-key",
    "LIGHTNING_AUTH_TOKEN": "hidden-token",
    "LIGHTNING_USER_ID": "hidden-user",
}
SSH = {"SSH_CONNECTION": "10.0.0.1 50000 10.0.0.2 22", "USER": "ada"}
SLURM = {"SLURM_JOB_ID": "42", "SLURM_JOB_NAME": "train"}
STEP = {"SLURM_STEP_ID": "0", "SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2"}
LOGIND = {"run/systemd/system/": "", "etc/systemd/logind.conf": "[Login]\nKillUserProcesses=yes\n"}
STUDIO_HOME = {"teamspace/studios/this_studio/": ""}
TWO_GPUS = (gpu(0), gpu(1))
MIXED = (gpu(0, "NVIDIA T4", "7.5"), gpu(1, "NVIDIA L40S", "8.9"))
GOOD = Software(
    interpreter="/venv/bin/python",
    python="3.12.1",
    torch="2.13.0+cu130",
    torch_build="cu130",
    torch_cuda="13.0",
    torch_architectures=("sm_75", "sm_80", "sm_86", "sm_90"),
    lightning="2.6.6",
)


def software(**changes: Any) -> Software:
    return Software(**{**{name: getattr(GOOD, name) for name in GOOD.__struct_fields__}, **changes})


class Case(NamedTuple):
    name: str
    environ: Mapping[str, str]
    family: str
    kind: str
    facets: str = ""
    findings: str = ""
    files: Mapping[str, str] = {}
    gpus: tuple[GpuSample, ...] = ()
    driver: DriverFacts = DriverFacts(driver="580.65", cuda="13.0")
    software: Software | None = None
    runs_home: str = "home/ada/runs"


CASES = [
    # Lightning's own predicates, and what only looks like them
    Case("nothing", {}, "other", "local"),
    Case("studio", STUDIO, "lightning_cloud", "studio"),
    Case("studio-with-ids-and-secrets", {**STUDIO, **MACHINE, **SECRETS}, "lightning_cloud", "studio"),
    Case("studio-ssh-tmux", {**STUDIO, **SSH, "TMUX": "/tmp/t,1,0"}, "lightning_cloud", "studio", "ssh tmux"),
    Case("studio-container", STUDIO, "lightning_cloud", "studio", "container", files={".dockerenv": ""}),
    Case("interactive-True-is-not-true", {**SPACE, "LIGHTNING_INTERACTIVE": "True"}, "lightning_cloud",
         "lightning-machine"),
    Case("interactive-1-is-not-true", {**SPACE, "LIGHTNING_INTERACTIVE": "1"}, "lightning_cloud", "lightning-machine"),
    Case("space-alone", SPACE, "lightning_cloud", "lightning-machine"),
    Case("interactive-alone", {"LIGHTNING_INTERACTIVE": "true"}, "other", "local"),
    Case("empty-space-is-unset", {**STUDIO, "LIGHTNING_CLOUD_SPACE_ID": ""}, "other", "local"),
    Case("compute-node", {"LIGHTNING_NODE_ID": "node-1"}, "lightning_compute", "lightning-machine"),
    Case("space-wins-over-node", {**STUDIO, "LIGHTNING_NODE_ID": "n"}, "lightning_cloud", "studio"),
    Case("litdata-machine", MACHINE, "lightning_cloud", "lightning-machine"),
    Case("project-without-cluster", {"LIGHTNING_CLOUD_PROJECT_ID": "p"}, "other", "local"),
    Case("litlogger-job", JOB, "lightning_compute", "lightning-job"),
    Case("job-with-ids", {**MACHINE, **JOB}, "lightning_compute", "lightning-job"),
    Case("job-of-a-studio", {**SPACE, **JOB}, "lightning_cloud", "lightning-job"),
    Case("job-by-artifacts", {**MACHINE, "LIGHTNING_ARTIFACTS_DIR": "{root}"}, "lightning_compute", "lightning-job"),
    Case("artifacts-alone", {"LIGHTNING_ARTIFACTS_DIR": "{root}"}, "other", "local"),
    Case("work-id-alone", {"LIGHTNING_CLOUD_WORK_ID": "w"}, "other", "local"),
    Case("stripped-variables", {}, "lightning_cloud", "lightning-machine", files=STUDIO_HOME),
    Case("only-the-url", {"LIGHTNING_CLOUD_URL": "https://lightning.ai:443"}, "other", "local"),
    Case("only-an-api-key", SECRETS, "other", "local"),
    Case("only-names", {"LIGHTNING_TEAMSPACE": "t", "LIGHTNING_ORG": "o", "LIGHTNING_USERNAME": "u"}, "other", "local"),
    Case("others-with-the-prefix", {"LIGHTNING_DEBUG": "1", "LIGHTNING_STUDIO_ID": "s"}, "other", "local"),
    Case("our-own-variables", {"LIGHTNING_TUI_HOME": "/r", "LIGHTNING_PERSISTENT_PATH": "{root}"}, "other", "local"),
    Case("lightning-installed", {}, "lightning_local", "local", software=GOOD),
    Case("pytorch-lightning-installed", {}, "lightning_local", "local",
         software=software(lightning=None, pytorch_lightning="2.5.0")),
    Case("nothing-installed", {}, "other", "local", findings="no-torch no-lightning",
         software=Software(interpreter="py", python="3.12.1")),
    Case("lightning-installed-in-a-studio", STUDIO, "lightning_cloud", "studio", software=GOOD),
    # schedulers, launchers, notebooks
    Case("slurm-batch", {**SLURM, "ENVIRONMENT": "BATCH"}, "other", "slurm", "slurm batch"),
    Case("slurm-interactive", {"SLURM_JOB_ID": "4", "SLURM_JOB_NAME": "interactive", "SLURM_NTASKS": "4"}, "other",
         "slurm", "slurm interactive", "slurm-ignored"),
    Case("slurm-bash", {"SLURM_JOB_ID": "4", "SLURM_JOB_NAME": "bash"}, "other", "slurm", "slurm interactive",
         "slurm-ignored"),
    Case("slurm-pty", {**SLURM, "SLURM_PTY_PORT": "4000"}, "other", "slurm", "slurm interactive"),
    Case("slurm-step", {**SLURM, **STEP}, "other", "slurm", "slurm"),
    Case("slurm-shell-left-over", {**SLURM, "SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2"}, "other", "slurm",
         "slurm", "slurm-without-srun"),
    Case("slurm-ntasks-left-over", {"SLURM_NTASKS": "2"}, "other", "local", "", "slurm-ntasks"),
    Case("slurm-tools-but-no-job", {"SLURM_CONF": "/etc/slurm.conf"}, "other", "local"),
    Case("slurm-in-apptainer", {**SLURM, "APPTAINER_CONTAINER": "/i.sif"}, "other", "slurm", "container slurm"),
    Case("slurm-in-lightning-local", SLURM, "lightning_local", "slurm", "slurm", software=GOOD),
    Case("slurm-two-nodes-loopback", {**SLURM, **STEP, "SLURM_JOB_NUM_NODES": "2"}, "other", "slurm", "slurm",
         "loopback-name", {"proc/sys/kernel/hostname": "n1\n", "etc/hosts": "127.0.0.1 lo\n127.0.1.1 n1.x\tn1\n"}),
    Case("slurm-two-nodes-real-name", {**SLURM, **STEP, "SLURM_JOB_NUM_NODES": "2"}, "other", "slurm", "slurm", "",
         {"proc/sys/kernel/hostname": "n1\n", "etc/hosts": "127.0.0.1 localhost # n1\n10.0.0.1 n1\n"}),
    Case("one-node-loopback", {}, "other", "local", "", "",
         {"proc/sys/kernel/hostname": "n1\n", "etc/hosts": "127.0.1.1 n1\n"}),
    Case("torchrun", {"TORCHELASTIC_RUN_ID": "none"}, "other", "torchelastic", "torchelastic"),
    Case("torchrun-two-nodes-loopback", {"TORCHELASTIC_RUN_ID": "7", "GROUP_WORLD_SIZE": "2"}, "other", "torchelastic",
         "torchelastic", "loopback-name", {"proc/sys/kernel/hostname": "n1\n", "etc/hosts": "::1 n1\n"}),
    Case("torchrun-in-slurm", {**SLURM, "TORCHELASTIC_RUN_ID": "4"}, "other", "slurm", "slurm torchelastic"),
    Case("kubernetes", {"KUBERNETES_SERVICE_HOST": "10.1.2.3"}, "other", "kubernetes", "container kubernetes"),
    Case("colab", {"COLAB_RELEASE_TAG": "r1", "JPY_PARENT_PID": "7"}, "other", "colab", "notebook"),
    Case("kaggle", {"KAGGLE_KERNEL_RUN_TYPE": "Batch"}, "other", "kaggle", "container notebook",
         files={".dockerenv": ""}),
    Case("jupyter", {"JPY_PARENT_PID": "7"}, "other", "jupyter", "notebook"),
    Case("podman", {}, "other", "container", "container", files={"run/.containerenv": ""}),
    Case("container-by-cgroup", {}, "other", "container", "container",
         files={"proc/1/cgroup": "1:cpu:/kubepods/burstable/pod1\n"}),
    Case("wsl", {}, "other", "wsl", "wsl", files={"proc/sys/kernel/osrelease": "5.15.1-microsoft-standard-WSL2\n"}),
    Case("ssh-in-screen", {**SSH, "STY": "1234.pts-0.host"}, "other", "local", "ssh screen"),
    # session and limits
    Case("dumb-terminal", {"TERM": "dumb"}, "other", "local", "", "no-colours"),
    Case("no-terminal-type", {"TERM": ""}, "other", "local", "", "no-colours"),
    Case("killed-at-logout", SSH, "other", "local", "ssh", "killed-at-logout", LOGIND),
    Case("lingering", SSH, "other", "local", "ssh", "", {**LOGIND, "var/lib/systemd/linger/ada": ""}),
    Case("lingering-but-in-the-session", SSH, "other", "local", "ssh", "killed-at-logout",
         {**LOGIND, "var/lib/systemd/linger/ada": "", "proc/self/cgroup": "0::/user.slice/session-3.scope\n"}),
    Case("drop-in-spares-processes", SSH, "other", "local", "ssh", "",
         {**LOGIND, "etc/systemd/logind.conf.d/9.conf": "KillUserProcesses=no\n"}),
    Case("no-systemd", SSH, "other", "local", "ssh", "", {"etc/systemd/logind.conf": "KillUserProcesses=yes\n"}),
    Case("few-open-files", {}, "other", "local", "", "low-open-files", {"proc/self/limits": limits_file("1024")}),
    Case("few-processes", {}, "other", "local", "", "low-processes",
         {"proc/self/limits": limits_file(processes="512")}),
    Case("infiniband-locked-memory", {}, "other", "local", "", "locked-memory", {"sys/class/infiniband/mlx5_0/": ""}),
    Case("infiniband-unlimited", {}, "other", "local", "", "",
         {"sys/class/infiniband/mlx5_0/": "", "proc/self/limits": limits_file(locked_memory="unlimited")}),
    # storage
    Case("studio-runs-elsewhere", STUDIO, "lightning_cloud", "studio", "", "runs-not-persistent", STUDIO_HOME),
    Case("studio-runs-kept", STUDIO, "lightning_cloud", "studio", "", "", STUDIO_HOME,
         runs_home="teamspace/studios/this_studio/lightning-tui"),
    Case("runs-on-fuse", {}, "other", "local", "", "fuse-checkpoints",
         {"home/ada/": "",
          "proc/self/mountinfo": mount_line("/", "ext4") + mount_line("{root}/home/ada", "fuse.s3fs")}),
    Case("data-on-fuse", {"LIGHTNING_PERSISTENT_PATH": "{root}/keep"}, "other", "local", "", "fuse-data",
         {"keep/data/": "", "proc/self/mountinfo": mount_line("{root}/keep/data", "fuse.gcsfuse")}),
    Case("runs-below-a-file", {}, "other", "local", "", "runs-home", {"home/ada": "a file"}),
    Case("job-artifacts-unusable", {**JOB, "LIGHTNING_ARTIFACTS_DIR": "{root}/jobs/x"}, "lightning_compute",
         "lightning-job", "", "artifacts-read-only", {"jobs": "a file"}),
    # GPUs and the software for them
    Case("gpus", {}, "lightning_local", "local", gpus=TWO_GPUS, software=GOOD),
    Case("gpus-few-open-files", {}, "other", "local", "", "low-open-files", {"proc/self/limits": limits_file("1024")},
         gpus=TWO_GPUS),
    Case("cpu-torch", {}, "lightning_local", "local", "", "cpu-torch", gpus=TWO_GPUS,
         software=software(torch_build="cpu", torch_cuda=None, torch_architectures=None)),
    Case("old-driver-by-its-cuda", {}, "lightning_local", "local", "", "old-driver", gpus=TWO_GPUS, software=GOOD,
         driver=DriverFacts(driver="550.54", cuda="12.4")),
    Case("old-driver-by-its-version", {}, "lightning_local", "local", "", "old-driver", gpus=TWO_GPUS, software=GOOD,
         driver=DriverFacts(driver="550.54")),
    Case("old-driver-with-compatibility", {}, "lightning_local", "local", gpus=TWO_GPUS, software=GOOD,
         driver=DriverFacts(driver="550.54", cuda="13.0")),
    Case("driver-tells-nothing", {}, "lightning_local", "local", gpus=TWO_GPUS, software=GOOD, driver=DriverFacts()),
    Case("gpu-too-old-for-torch", {}, "lightning_local", "local", "", "gpu-not-in-torch",
         gpus=(gpu(0, "Tesla P100", "6.0"),), software=GOOD),
    Case("gpu-too-new-for-torch", {}, "lightning_local", "local", "", "gpu-not-in-torch",
         gpus=(gpu(0, "RTX 5090", "12.0"),), software=GOOD),
    Case("busy-gpu", {}, "other", "local", "", "busy-gpus",
         gpus=(gpu(0, processes=(GpuProcess(pid=7, memory=12 * GIB, name="python", owner="bob"),)),)),
    Case("desktop-on-gpu", {}, "other", "local", gpus=(gpu(0, processes=(GpuProcess(pid=7, memory=GIB),)),)),
    Case("no-visible-gpus", {"CUDA_VISIBLE_DEVICES": ""}, "other", "local", "", "hidden-gpus", gpus=TWO_GPUS),
    Case("minus-one-hides-all", {"CUDA_VISIBLE_DEVICES": "-1"}, "other", "local", "", "visible-devices", gpus=TWO_GPUS),
    Case("one-of-two-visible", {"CUDA_VISIBLE_DEVICES": "1"}, "other", "local", "", "hidden-gpus", gpus=TWO_GPUS),
    Case("both-visible", {"CUDA_VISIBLE_DEVICES": "1,0"}, "other", "local", gpus=TWO_GPUS),
    Case("mixed-gpus-by-index", {"CUDA_VISIBLE_DEVICES": "0,1"}, "other", "local", "", "device-order", gpus=MIXED),
    Case("mixed-gpus-in-bus-order", {"CUDA_VISIBLE_DEVICES": "0,1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}, "other",
         "local", gpus=MIXED),
    Case("container-without-gpus", {"NVIDIA_VISIBLE_DEVICES": "void"}, "other", "container", "container",
         "container-without-gpus", {".dockerenv": ""}),
    Case("silent-driver", {}, "other", "local", "", "gpu-driver", {"dev/nvidia0": ""}),
    Case("compromised-lightning", {}, "lightning_local", "local", "", "compromised-lightning",
         software=software(lightning="2.6.2")),
    Case("two-lightnings", {}, "lightning_local", "local", "", "two-lightnings",
         software=software(pytorch_lightning="2.5.0")),
]  # fmt: skip


def test_ids_are_unique_and_many() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names) >= 40


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_environment(case: Case, tmp_path: Path) -> None:
    root = build_root(tmp_path / "root", {"proc/self/limits": limits_file(), **case.files})
    environ = {
        "TERM": "xterm-256color",
        **{name: text.replace("{root}", str(root)) for name, text in case.environ.items()},
    }
    environment = inspect_environment(
        environ,
        runs_home=root / case.runs_home,
        folder=tmp_path,
        root=root,
        reader=FakeGpus(case.gpus, case.driver, environ),
    )
    if case.software is not None:
        environment = with_software(environment, case.software)
    platform = environment.platform
    assert (platform.family, platform.kind) == (case.family, case.kind)
    assert " ".join(platform.facets) == case.facets
    found = [finding.id for finding in environment.findings if finding.id != "low-disk"]  # the real disk may be full
    assert " ".join(found) == case.findings
    told = json.dumps(as_json(environment)) + "".join(as_text(environment, 80))
    assert not any(secret in told for secret in SECRETS.values())
    assert all(finding.remedy.endswith(".") and finding.detail.endswith(".") for finding in environment.findings)
