"""What goes wrong in a GPU: memory, kernels, libraries of CUDA, the device itself."""

from __future__ import annotations

from lightning_tui.diagnosis.model import Rule
from lightning_tui.diagnosis.rules.forms import TORCH_DOCS, anywhere, do, raised

_SYNCHRONOUS = do(
    "Run once with CUDA_LAUNCH_BLOCKING=1: kernels report late, and only then is the traceback the right one."
)

_ALLOCATED = (
    r"(?:CUDA|HIP|MPS backend|XPU) (?:error: )?out of memory(?:\. Tried to allocate (?P<wanted>[\d.]+ ?[KMGT]i?B))?"
    r"(?:[^\n]{0,40}GPU (?P<gpu>\d{1,3}))?(?:[^\n]{0,40}?(?P<total>[\d.]+ [KMGT]iB))?(?:[^\n]{0,120}?(?P<free>[\d.]+ [KMGT]iB|\d+ bytes)(?: is)? free)?"
)

RULES = (
    Rule(
        category="cuda-oom",
        title="The GPU's memory is full",
        cause="[[PyTorch wanted {wanted} more[[ on GPU {gpu}]][[; of {total} only {free} were free]]. ]]Weights, gradients, "
        "optimizer state and activations of one batch must fit together.",
        signs=(
            raised(
                "out of memory",
                pattern=_ALLOCATED,
                lacks=("nccl",),
            ),
            anywhere("tried to allocate", "out of memory", pattern=_ALLOCATED, lacks=("nccl",)),
            anywhere("error: out of memory", "cuda"),
            raised("out of memory", types=("OutOfMemoryError",)),
            anywhere("cuda_error_out_of_memory"),
            anywhere("cuda driver error: out of memory"),
            anywhere("cudaerrormemoryallocation"),
            raised("triton error [cuda]: out of memory"),
            raised("hip out of memory"),
        ),
        weight=64,
        suggestions=(
            do(
                "Halve the batch and double the accumulation: an optimizer step sees as many samples as before.",
                computed="halve_the_batch",
            ),
            do("Train in mixed precision: activations take half the memory.", computed="lower_precision"),
            do("Shard weights, gradients and optimizer state over the GPUs.", computed="shard_the_model"),
            do(
                "Recompute the activations of the largest blocks in the backward pass (activation_checkpointing: their classes)."
            ),
            do(
                "Look whether another process holds memory on this GPU, and whether a graph is kept over steps "
                "(a loss in a list without .detach())."
            ),
            do(
                "If much is reserved but not allocated, set PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True.",
                computed="expandable_segments",
            ),
        ),
        docs=f"{TORCH_DOCS}/notes/cuda.html#memory-management",
        examples=(
            "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 4.35 GiB. GPU 3 has a total capacity of 63.42 GiB of which 1.70 GiB is free.",
            "RuntimeError: CUDA out of memory. Tried to allocate 20.00 MiB (GPU 0; 7.80 GiB total capacity; 6.34 GiB already allocated; 5.75 MiB free)",
            "torch.AcceleratorError: CUDA error: out of memory",
        ),
    ),
    Rule(
        category="cublas-alloc-failed",
        title="cuBLAS could not get memory on the GPU",
        cause="The handle or the workspace of cuBLAS did not fit: nearly always the GPU's memory is full; sometimes an earlier "
        "kernel (an index out of range) broke the context.",
        signs=(anywhere("cublas_status_alloc_failed"), anywhere("cublas_status_not_initialized")),
        weight=63,
        suggestions=(
            do("Halve the batch and double the accumulation.", computed="halve_the_batch"),
            _SYNCHRONOUS,
            do("Check that labels and indices are in range: this error also follows a failed assertion on the device."),
        ),
        docs=f"{TORCH_DOCS}/notes/cuda.html",
        examples=("RuntimeError: CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`",),
    ),
    Rule(
        category="cublas-execution-failed",
        title="A matrix product failed in cuBLAS",
        cause="cuBLAS reports a failed kernel[[ ({status})]]: wrong shapes or dtypes reach it, an index is out of range, or driver and CUDA libraries "
        "do not fit each other.",
        signs=(
            anywhere(
                "cublas_status_",
                pattern=r"(?P<status>CUBLAS_STATUS_(?:EXECUTION_FAILED|INVALID_VALUE|INTERNAL_ERROR|NOT_SUPPORTED|ARCH_MISMATCH|MAPPING_ERROR))",
            ),
        ),
        suggestions=(
            _SYNCHRONOUS,
            do("Check shapes and dtypes of the operands, and that embedding and label indices are in range."),
            do(
                "Try without mixed precision, to see whether the kernel or the data is at fault.",
                computed="full_precision",
            ),
        ),
        docs="https://docs.nvidia.com/cuda/cublas/#cublasstatus-t",
        examples=(
            "RuntimeError: CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm( handle, opa, opb, m, n, k)`",
        ),
    ),
    Rule(
        category="cudnn-error",
        title="cuDNN failed",
        cause="cuDNN could not be initialised or could not run an operation[[ ({status})]]: memory is full, or its version does not fit driver, "
        "CUDA or GPU.",
        signs=(
            anywhere(
                "cudnn_status_",
                pattern=r"(?P<status>CUDNN_STATUS_\w{1,60})",
                lacks=("not supported by cudnn, falling back",),
            ),
            anywhere("cudnn error"),
            raised("cudnn version incompatibility"),
            raised("unable to find a valid cudnn algorithm"),
            raised("get was unable to find an engine to execute this computation"),
            anywhere("could not load library libcudnn"),
        ),
        suggestions=(
            do(
                "Halve the batch: without room for its workspace cuDNN reports an internal error.",
                computed="halve_the_batch",
            ),
            do("Switch its autotuner off.", benchmark=False),
            do("Reinstall PyTorch with its own CUDA libraries, and take other cuDNN versions off LD_LIBRARY_PATH."),
        ),
        docs="https://docs.nvidia.com/deeplearning/cudnn/latest/",
        examples=(
            "RuntimeError: cuDNN error: CUDNN_STATUS_EXECUTION_FAILED",
            "RuntimeError: GET was unable to find an engine to execute this computation",
        ),
    ),
    Rule(
        category="device-side-assert",
        title="An assertion failed in a GPU kernel",
        cause="[[The kernel asserted `{assertion}`. ]]Usually an index or a class label is out of range: a label outside [0, number of classes), "
        "or a token outside the embedding.",
        signs=(
            anywhere(
                "assertion `",
                pattern=r"block: \[\d+,\d+,\d+\], thread: \[\d+,\d+,\d+\] Assertion `(?P<assertion>[^`]{1,200})` failed",
                weight=66,
            ),
            anywhere("device-side assert triggered", weight=65),
            anywhere("cudaerrorassert", weight=65),
        ),
        suggestions=(
            do(
                "Check that labels are in [0, number of classes) and token or category ids below num_embeddings, before they reach the GPU.",
                in_code=True,
            ),
            do("Run the same batch on the CPU: it says which index is wrong.", accelerator="cpu", devices=1),
            _SYNCHRONOUS,
        ),
        docs=f"{TORCH_DOCS}/notes/cuda.html#asynchronous-execution",
        examples=(
            "../aten/src/ATen/native/cuda/Indexing.cu:1289: indexSelectLargeIndex: block: [12,0,0], thread: [64,0,0] Assertion `srcIndex < srcSelectDimSize` failed.",
            "torch.AcceleratorError: CUDA error: device-side assert triggered",
        ),
    ),
    Rule(
        category="illegal-memory-access",
        title="A GPU kernel touched memory that is not its own",
        cause="An own or a third-party kernel (attention, custom op, compiled code) wrote or read out of bounds. It is reported late, so the traceback may "
        "point elsewhere.",
        signs=(
            anywhere("an illegal memory access was encountered"),
            anywhere("misaligned address", lacks=("address sanitizer",)),
            anywhere("cuda_error_illegal_address"),
            anywhere("cudaerrorillegaladdress"),
            anywhere("memory access fault by gpu"),
            anywhere("an illegal instruction was encountered"),
        ),
        weight=62,
        suggestions=(
            _SYNCHRONOUS,
            do("Run once under `compute-sanitizer python ...`: it names the kernel."),
            do("Switch off compiled and fused kernels one by one (compile, flash attention, fused optimizers)."),
        ),
        docs=f"{TORCH_DOCS}/notes/cuda.html#asynchronous-execution",
        examples=(
            "RuntimeError: CUDA error: misaligned address",
            "torch.AcceleratorError: CUDA error: an illegal memory access was encountered",
        ),
    ),
    Rule(
        category="cuda-launch-failure",
        title="A GPU kernel failed while it ran",
        cause="The driver ended a kernel without saying why (unspecified launch failure): a fault in its code, a kernel that ran too long, or failing hardware.",
        signs=(
            anywhere("unspecified launch failure"),
            anywhere("the launch timed out and was terminated"),
            anywhere("cuda_error_launch_failed"),
            anywhere("too many resources requested for launch"),
            anywhere("cuda error: invalid configuration argument"),
        ),
        suggestions=(
            _SYNCHRONOUS,
            do("Look at the driver's own words: `dmesg | grep -i xid`."),
            do("Switch off compiled and custom kernels to find which one fails."),
        ),
        docs="https://docs.nvidia.com/deploy/xid-errors/",
        examples=("RuntimeError: CUDA error: unspecified launch failure",),
    ),
    Rule(
        category="gpu-hardware-error",
        title="The GPU reports a hardware error",
        cause="[[The driver reported Xid {xid}. ]]An uncorrectable memory (ECC) or bus error: the GPU or its link is faulty, and the run cannot go on there.",
        signs=(
            anywhere("uncorrectable ecc error encountered"),
            anywhere("uncorrectable nvlink error"),
            anywhere("cuda error: hardware stack error"),
            anywhere("nvrm: xid", pattern=r"NVRM: Xid (?:\([^)]{1,80}\): )?(?P<xid>\d{1,3})"),
            anywhere("gpu has fallen off the bus"),
            anywhere("unable to determine the device handle for gpu"),
            anywhere("gpu is lost"),
            anywhere("cuda_error_ecc_uncorrectable"),
        ),
        weight=72,
        suggestions=(
            do("Leave this GPU out (CUDA_VISIBLE_DEVICES), or take another node."),
            do("There, resume from the newest checkpoint.", computed="resume"),
            do(
                "Look at `nvidia-smi -q -d ECC,ROW_REMAPPER` and `dmesg | grep -i xid`, and tell the machine's owner: it may need a reset or a replacement."
            ),
        ),
        docs="https://docs.nvidia.com/deploy/xid-errors/",
        examples=(
            "RuntimeError: CUDA error: uncorrectable ECC error encountered",
            "[ 1234.5] NVRM: Xid (PCI:0000:3b:00): 79, pid=4711, GPU has fallen off the bus.",
        ),
    ),
    Rule(
        category="no-kernel-image",
        title="This PyTorch has no code for this GPU",
        cause="The installed build was not compiled for the GPU's architecture: the GPU is newer or older than the build knows.",
        signs=(
            anywhere("no kernel image is available"),
            anywhere("is not compatible with the current pytorch installation", weight=61),
            anywhere("cudaerrornokernelimagefordevice"),
            anywhere("provided ptx was compiled with an unsupported toolchain"),
            anywhere("the provided ptx was compiled"),
            anywhere("device kernel image is invalid"),
            anywhere("invalid device function", lacks=("invalid device function name",)),
        ),
        weight=66,
        suggestions=(
            do(
                "Install a PyTorch build for this GPU: pick it at https://pytorch.org/get-started/locally (a newer CUDA for new GPUs, an older PyTorch for old ones)."
            ),
            do(
                "If a third-party extension fails (flash-attn, a custom op), rebuild it with TORCH_CUDA_ARCH_LIST set to this GPU's compute capability."
            ),
        ),
        docs="https://pytorch.org/get-started/locally/",
        examples=(
            "RuntimeError: CUDA error: no kernel image is available for execution on the device",
            "NVIDIA GeForce RTX 5090 with CUDA capability sm_120 is not compatible with the current PyTorch installation.",
        ),
    ),
    Rule(
        category="cuda-device-busy",
        title="The GPU is busy or unavailable",
        cause="The GPU is in exclusive mode and another process has it, or it is in a state in which it takes no work.",
        signs=(
            anywhere("cuda-capable device(s) is/are busy or unavailable"),
            anywhere("devices are busy or unavailable"),
            anywhere("cudaerrordevicesunavailable"),
            anywhere("device(s) is/are busy"),
        ),
        weight=66,
        suggestions=(
            do("See who holds it (`nvidia-smi`), end a process that was left over, or choose another GPU."),
            do("In exclusive mode (`nvidia-smi -q -d COMPUTE`) only one process may use a GPU: one rank per GPU."),
        ),
        docs="https://docs.nvidia.com/deploy/mps/index.html",
        examples=("RuntimeError: CUDA error: all CUDA-capable devices are busy or unavailable",),
    ),
    Rule(
        category="cuda-fork-reinit",
        title="CUDA was used in a forked process",
        cause="CUDA was initialised in the main process, and a process forked from it (a DataLoader worker, ddp_fork) used it again. CUDA cannot survive a fork.",
        signs=(
            anywhere("cannot re-initialize cuda in forked subprocess"),
            raised("lightning can't create new processes if cuda is already initialized"),
            anywhere("cuda error: initialization error", weight=55),
            raised("poison", "cuda", "fork"),
        ),
        weight=68,
        suggestions=(
            do("Let the dataset give CPU tensors, and leave the move to the GPU to Lightning.", in_code=True),
            do('Let the loader\'s workers begin afresh: DataLoader(..., multiprocessing_context="spawn").'),
            do("Load data in the main process.", computed="no_workers"),
            do(
                "Do not touch torch.cuda before the Trainer starts its processes, or start them as subprocesses.",
                strategy="ddp",
            ),
        ),
        docs=f"{TORCH_DOCS}/notes/multiprocessing.html#cuda-in-multiprocessing",
        examples=(
            "RuntimeError: Cannot re-initialize CUDA in forked subprocess. To use CUDA with multiprocessing, you must use the 'spawn' start method",
            "RuntimeError: Lightning can't create new processes if CUDA is already initialized. Did you manually call `torch.cuda.*` functions",
        ),
    ),
    Rule(
        category="cuda-invalid-device",
        title="A GPU number that does not exist",
        cause="The program asked for a GPU index above those that this process can see.",
        signs=(
            anywhere("invalid device ordinal"),
            raised("device >= 0 && device < num_gpus"),
            anywhere("cudaerrorinvaliddevice"),
            raised("invalid device id", types=("AssertionError", "RuntimeError")),
        ),
        suggestions=(
            do("Use as many devices as there are.", computed="existing_devices"),
            do(
                "Do not write cuda:1 in the code: inside CUDA_VISIBLE_DEVICES the numbers begin at 0 again; use self.device.",
                in_code=True,
            ),
            do("Launch no more ranks on a node than it has GPUs (--nproc-per-node, --ntasks-per-node)."),
        ),
        docs=f"{TORCH_DOCS}/notes/cuda.html",
        examples=("RuntimeError: CUDA error: invalid device ordinal",),
    ),
    Rule(
        category="cuda-not-compiled",
        title="This PyTorch has no CUDA",
        cause="A CPU-only build of PyTorch is installed, and the program asks for CUDA.",
        signs=(
            anywhere("torch not compiled with cuda enabled"),
            raised("not compiled with cuda support"),
            raised("not compiled with gpu support"),
            raised("pytorch is not linked with support for cuda"),
            raised("could not run", "with arguments from the 'cuda' backend", weight=61),
        ),
        weight=66,
        suggestions=(
            do(
                "Install a CUDA build of PyTorch in the program's environment: https://pytorch.org/get-started/locally."
            ),
            do("Train on the CPU.", accelerator="cpu"),
        ),
        docs="https://pytorch.org/get-started/locally/",
        examples=("AssertionError: Torch not compiled with CUDA enabled",),
    ),
    Rule(
        category="cuda-unknown-error",
        title="CUDA does not start (unknown error)",
        cause="The driver answered with error 999: after suspend or a driver update it is often in a broken state, or CUDA_VISIBLE_DEVICES was changed too late.",
        signs=(
            anywhere("cuda unknown error"),
            anywhere("error 999: unknown error"),
            anywhere("cuda error: unknown error"),
            anywhere("cudaerrorunknown"),
        ),
        weight=66,
        suggestions=(
            do(
                "Reload the driver's memory module (`sudo rmmod nvidia_uvm && sudo modprobe nvidia_uvm`) or reboot; in a container restart the container."
            ),
            do("Set CUDA_VISIBLE_DEVICES before the program starts, never in its code."),
        ),
        docs=f"{TORCH_DOCS}/notes/cuda.html",
        examples=("RuntimeError: CUDA unknown error - this may be due to an incorrectly set up environment",),
    ),
)
