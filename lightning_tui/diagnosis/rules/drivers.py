"""Why is there no usable GPU? Driver, visibility, and precisions that the device cannot do."""

from __future__ import annotations

from lightning_tui.diagnosis.model import Rule
from lightning_tui.diagnosis.rules.forms import LIGHTNING_DOCS, anywhere, do, printed, raised

_ON_CPU = do("Train on the CPU meanwhile.", accelerator="cpu")
_LOOK = do("See what the driver says: `nvidia-smi`, and here `lightning-tui doctor`.")

RULES = (
    Rule(
        category="driver-too-old",
        title="The NVIDIA driver is older than this PyTorch needs",
        cause="The driver[[ (found {version})]] does not know the CUDA version that PyTorch was built with.",
        signs=(
            anywhere("nvidia driver on your system is too old", detail=r"found version (?P<version>\d+)"),
            anywhere("cuda driver version is insufficient for cuda runtime version", lacks=("nccl",)),
            anywhere("cuda driver version is insufficient", weight=52),
            anywhere("driver version", "insufficient for cuda", lacks=("nccl",)),
        ),
        weight=70,
        suggestions=(
            do(
                "Update the NVIDIA driver (needs root), or install a PyTorch build for an older CUDA: https://pytorch.org/get-started/previous-versions."
            ),
            _ON_CPU,
        ),
        docs="https://docs.nvidia.com/deploy/cuda-compatibility/",
        examples=(
            "UserWarning: CUDA initialization: The NVIDIA driver on your system is too old (found version 11040). Please update your GPU driver",
        ),
    ),
    Rule(
        category="driver-missing",
        title="No NVIDIA driver was found",
        cause="PyTorch was built for CUDA, but this machine or container shows no NVIDIA driver.",
        signs=(
            raised("found no nvidia driver on your system"),
            printed(
                "found no nvidia driver on your system", elsewhere=("misconfigurationexception", "error:", "exception:")
            ),
            anywhere("could not select device driver", "gpu"),
            anywhere("nvidia-smi has failed because it couldn't communicate with the nvidia driver"),
            anywhere("failed to initialize nvml: driver not loaded"),
            anywhere("nvidia-container-cli", "error"),
            raised("libcuda.so.1: cannot open shared object file"),
            anywhere("cuda driver initialization failed, you might not have a cuda gpu"),
        ),
        weight=70,
        suggestions=(
            do(
                "Install the driver (https://www.nvidia.com/drivers); in a container start it with `--gpus all` and the NVIDIA container toolkit."
            ),
            do("On a cluster ask for a GPU node (`--gpus-per-node=1`): login nodes have none."),
            _ON_CPU,
        ),
        docs="https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/",
        examples=(
            "RuntimeError: Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU and installed a driver",
        ),
    ),
    Rule(
        category="driver-library-mismatch",
        title="Driver and its library do not belong together",
        cause="The loaded kernel driver and the user-space CUDA library are of different versions (error 803): usual after an update without a reboot, or with a foreign libcuda in a container.",
        signs=(
            anywhere("unsupported display driver / cuda driver combination"),
            anywhere("error 803", pattern=r"\bError 803: "),
            anywhere("driver/library version mismatch"),
            anywhere("nvrm: api mismatch"),
        ),
        weight=71,
        suggestions=(
            do("Reboot, or reload the driver's modules, so that kernel driver and library are of one version."),
            do(
                "In a container take away its own libcuda (cuda-compat packages, LD_LIBRARY_PATH): the host's must be used."
            ),
            _ON_CPU,
        ),
        docs="https://docs.nvidia.com/deploy/cuda-compatibility/",
        examples=(
            "RuntimeError: Unexpected error from cudaGetDeviceCount(). Error 803: system has unsupported display driver / cuda driver combination",
        ),
    ),
    Rule(
        category="driver-forward-compat",
        title="CUDA forward compatibility does not work on this GPU",
        cause="A newer libcuda (cuda-compat) than the driver is in use (error 804); that is only allowed on data-centre GPUs.",
        signs=(
            anywhere("forward compatibility was attempted on non supported hw"),
            anywhere("error 804", pattern=r"\bError 804: "),
        ),
        weight=71,
        suggestions=(
            do("Take cuda-compat out of LD_LIBRARY_PATH or the image, so that the driver's own libcuda is used."),
            do("Update the driver, or take a PyTorch build whose CUDA the driver knows."),
            _ON_CPU,
        ),
        docs="https://docs.nvidia.com/deploy/cuda-compatibility/#forward-compatibility",
        examples=(
            "UserWarning: CUDA initialization: Unexpected error from cudaGetDeviceCount(). Error 804: forward compatibility was attempted on non supported HW",
        ),
    ),
    Rule(
        category="fabric-manager-not-ready",
        title="The GPUs' fabric is not ready",
        cause="On machines with NVSwitch, CUDA waits for NVIDIA's Fabric Manager (error 802: system not yet initialized); it does not run or has another version than the driver.",
        signs=(
            anywhere("system not yet initialized"),
            anywhere("error 802", pattern=r"\bError 802: "),
            raised("fabric manager", "not"),
            anywhere("cudaerrorsystemnotready"),
        ),
        weight=71,
        suggestions=(
            do(
                "`sudo systemctl restart nvidia-fabricmanager`; its version must be the driver's. In a cloud, restart the machine or take another."
            ),
            do("`nvidia-smi -q | grep -A2 Fabric` must say Completed."),
        ),
        docs="https://docs.nvidia.com/datacenter/tesla/fabric-manager-user-guide/",
        examples=("RuntimeError: Unexpected error from cudaGetDeviceCount(). Error 802: system not yet initialized",),
    ),
    Rule(
        category="no-cuda-device",
        title="The driver shows no GPU to this process",
        cause="A driver is there, but no GPU is visible: CUDA_VISIBLE_DEVICES is empty or wrong, or the job or container was given none.",
        signs=(
            anywhere("no cuda-capable device is detected", lacks=("cuinit",)),
            anywhere("no cuda gpus are available"),
            anywhere("error 100: no cuda"),
            anywhere("no hip gpus are available"),
            anywhere("no devices were found", lacks=("dataset",), elsewhere=("nvidia", "cuda")),
            raised("cudaerrornodevice"),
        ),
        weight=62,
        suggestions=(
            do("Look at CUDA_VISIBLE_DEVICES (empty or -1 hides all), and at `nvidia-smi` in the same place."),
            do("Ask the scheduler or the container for GPUs (`--gpus-per-node`, `--gpus all`)."),
            _ON_CPU,
        ),
        docs="https://docs.nvidia.com/cuda/cuda-c-programming-guide/#env-vars",
        examples=(
            "RuntimeError: No CUDA GPUs are available",
            "RuntimeError: CUDA error: no CUDA-capable device is detected",
        ),
    ),
    Rule(
        category="no-gpu-available",
        title="A GPU was asked for, and none can be used",
        cause="The Trainer is told to use a GPU, and Lightning finds no usable one on this machine.",
        signs=(
            raised("no supported gpu backend found"),
            raised("can not run on your system since the accelerator is not available"),
            raised("can not run on your system since", "accelerator"),
            raised("gpus requested but none are available"),
            raised("you requested gpu", "no gpus"),
            raised("machine only has: []"),
            raised("mpsaccelerator", "not available"),
        ),
        weight=45,
        suggestions=(
            _LOOK,
            do("Let Lightning take what there is.", accelerator="auto", devices="auto"),
            _ON_CPU,
        ),
        docs=f"{LIGHTNING_DOCS}/accelerators/gpu_basic.html",
        examples=("lightning.fabric.utilities.exceptions.MisconfigurationException: No supported gpu backend found!",),
    ),
    Rule(
        category="gpu-index-unavailable",
        title="GPUs were asked for that this machine does not have",
        cause="The Trainer wants GPUs [[{wanted}]][[, and there are only {there}]].",
        signs=(
            raised(
                "you requested gpu",
                pattern=r"You requested gpus?: (?P<wanted>\[[^\]]{0,100}\])\s+But your machine only has: (?P<there>\[[^\]]{1,100}\])",
            ),
            raised("device id's (gpu) must be unique"),
        ),
        weight=62,
        suggestions=(
            do("Use those that there are.", computed="existing_devices"),
            do("Let Lightning take all of them.", devices="auto"),
        ),
        docs=f"{LIGHTNING_DOCS}/accelerators/gpu_basic.html",
        examples=("MisconfigurationException: You requested gpu: [0, 1, 2, 3]\n But your machine only has: [0]",),
    ),
    Rule(
        category="bf16-not-supported",
        title="This device does not do bfloat16",
        cause="bf16 precision was asked for on a device that has none in hardware (NVIDIA before compute capability 8.0), or on a CPU path that refuses it.",
        signs=(
            raised("bf16", "not support"),
            raised("bf16", "doesn't support"),
            raised("bfloat16", "not supported"),
            raised("doesn't support bf16"),
            raised("bfloat16 is only supported on"),
            raised("bf16", "requires", pattern=r"(?:cuda|ampere|compute capability|gpu)"),
            raised("current cuda device does not support bfloat16"),
            raised("type bf16 is not supported"),
            raised("bf16 precision", "not available"),
        ),
        suggestions=(
            do("Use float16 on the GPU, or float32.", computed="half_that_runs_here"),
            do("Take a GPU of compute capability 8.0 or newer (A100, L4, RTX 30 series and later)."),
        ),
        docs=f"{LIGHTNING_DOCS}/common/precision_intermediate.html",
        examples=(
            "RuntimeError: Current CUDA Device does not support bfloat16. Please switch dtype to float16.",
            "ValueError: Your setup doesn't support bf16/gpu. You need Ampere+ GPU with cuda>=11.0",
        ),
    ),
    Rule(
        category="amp-cpu-unsupported",
        title="float16 mixed precision does not run on a CPU",
        cause="16-mixed was asked for on a CPU; where a run goes on all the same, Lightning has put bf16-mixed in its place.",
        signs=(
            anywhere("amp with fp16 is not supported on cpu"),
            raised("fp16 mixed precision", "cuda"),
            raised("precision=16", "cpu", pattern=r"(?:not supported|only|use `?precision)"),
            anywhere("in cpu autocast, but the target dtype is not supported"),
            raised("cpu autocast", "float16"),
            raised("fp16", "only be used on", pattern=r"(?:CUDA|NPU|GPU|XPU)"),
            raised("mixed precision", "only supported on", pattern=r"(?:CUDA|GPU)"),
            raised("fp16 mixed precision requires a gpu"),
        ),
        weight=58,
        suggestions=(
            do("Take bfloat16, or no mixed precision, on a CPU.", precision="bf16-mixed"),
            do("Take float32.", precision="32-true"),
            do("Train on a GPU, if there should be one here.", accelerator="gpu"),
        ),
        docs=f"{LIGHTNING_DOCS}/common/precision_intermediate.html",
        examples=(
            "You passed `Trainer(accelerator='cpu', precision='16-mixed')` but AMP with fp16 is not supported on CPU. Using `precision='bf16-mixed'` instead.",
            "ValueError: fp16 mixed precision requires a GPU (not 'cpu').",
        ),
    ),
    Rule(
        category="half-not-implemented-cpu",
        title="An operation has no half-precision form on the CPU",
        cause="Weights or inputs are float16 on the CPU, where [[{op} has]][[ no {dtype} kernel]] none is implemented.",
        signs=(
            raised("not implemented for 'half'", pattern=r'"(?P<op>\w{1,80})" not implemented for \'(?P<dtype>\w+)\''),
            raised("not implemented for 'bfloat16'", pattern=r'"(?P<op>\w{1,80})" not implemented for'),
            raised("on cpu", "half", "slow_conv2d"),
        ),
        suggestions=(
            do("Keep the model in float32 on the CPU.", precision="32-true"),
            do(
                "Move the model to the GPU before it is used in half precision (it may have stayed on the CPU by mistake).",
                in_code=True,
            ),
        ),
        docs=f"{LIGHTNING_DOCS}/common/precision_intermediate.html",
        examples=("RuntimeError: \"addmm_impl_cpu_\" not implemented for 'Half'",),
    ),
)
