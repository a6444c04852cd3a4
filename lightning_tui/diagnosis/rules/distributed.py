"""What goes wrong between ranks: meeting, collectives, NCCL, gloo, DDP, FSDP, DeepSpeed."""

from __future__ import annotations

from lightning_tui.diagnosis.model import Rule
from lightning_tui.diagnosis.rules.forms import LIGHTNING_DOCS, TORCH_DOCS, anywhere, do, printed, raised

_NCCL_DOCS = "https://docs.nvidia.com/deeplearning/nccl/user-guide/docs"
_DEBUG = do("Run once with NCCL_DEBUG=INFO: the first WARN of the log names what failed.")
_FIRST_RANK = do("Look at the rank that failed first: this one only noticed that it was gone.")

RULES = (
    Rule(
        category="address-in-use",
        title="The port is taken",
        cause="[[Port {port} ]][[of {host} ]]is used by another process: a second run on this machine, or one that was left over.",
        signs=(
            anywhere("address already in use", detail=r"(?P<host>\[::\]|[\d.]{7,15}):(?P<port>\d{2,5})"),
            anywhere("eaddrinuse"),
            anywhere("could not bind to port", pattern=r"port (?P<port>\d{2,5})"),
            anywhere(
                "port", "already in use", pattern=r"\bport\b[^\n]{0,40}?(?P<port>\d{2,5})?[^\n]{0,60}already in use"
            ),
            raised("errno: 98"),
            anywhere("is already in use", "port"),
        ),
        weight=66,
        suggestions=(
            do("Let the ranks meet at a port that is free at the start.", computed="free_port"),
            do("Take another port: MASTER_PORT=29512, `torchrun --master-port 0` or --rdzv-endpoint=localhost:0."),
            do("See who has it (`ss -ltnp`), and end what was left over."),
        ),
        docs=f"{TORCH_DOCS}/elastic/run.html",
        examples=(
            "torch.distributed.DistNetworkError: The server socket has failed to listen on any local network address. port: 29500, useIpv6: true, code: -98, name: EADDRINUSE, message: address already in use",
            "OSError: [Errno 98] Address already in use",
        ),
    ),
    Rule(
        category="rendezvous-timeout",
        title="Not all ranks came to the meeting",
        cause="[[{joined} workers joined[[ of {expected}]]. ]]A node or a rank did not start in time, or was given other numbers (nodes, ranks, id of the rendezvous).",
        signs=(
            raised(types=("RendezvousTimeoutError", "RendezvousClosedError")),
            anywhere("rendezvoustimeouterror"),
            raised("timed out", "clients joined", pattern=r"(?P<joined>\d+)/(?P<expected>\d+) clients joined"),
            raised("timed out", "waiting for clients"),
            raised("timed out initializing process group in store based barrier"),
            raised("store based barrier", pattern=r"tim"),
            raised("timed out waiting on barrier on rank"),
            raised("wait timeout after", "keys:", frame="rendezvous"),
            raised("wait timeout after", "keys", weight=50),
            raised("socket timeout", types=("RuntimeError", "DistStoreError", "TimeoutError"), weight=45),
        ),
        weight=62,
        suggestions=(
            do(
                "Start the same command on every node, with the same --nnodes, --rdzv-id and --rdzv-endpoint, and num_nodes as many as there are."
            ),
            do("Train on this machine alone.", computed="one_machine"),
            do("Look for a rank that failed before the meeting: its traceback is the cause."),
            do("Give slow nodes more time: `--rdzv-conf join_timeout=1800`, or the strategy's timeout."),
        ),
        docs=f"{TORCH_DOCS}/elastic/rendezvous.html",
        examples=(
            "torch.distributed.DistStoreError: Timed out after 601 seconds waiting for clients. 1/2 clients joined.",
            "torch.distributed.elastic.rendezvous.api.RendezvousTimeoutError",
        ),
    ),
    Rule(
        category="rendezvous-connection",
        title="The master's address cannot be reached",
        cause="[[{host}[[ port {port}]] does not answer. ]]The rank could not connect to the store on the first node: wrong MASTER_ADDR or port, a name that does not resolve, a firewall, or a first rank that is not up.",
        signs=(
            raised(types=("RendezvousConnectionError",), weight=57),
            raised("client socket has timed out", pattern=r"connect to \((?P<host>[^,)]{1,200}), ?(?P<port>\d+)\)"),
            raised(
                "client socket has failed to connect",
                detail=r"connect to \(?(?:any network address of )?\(?(?P<host>[^,)]{1,200}), ?(?P<port>\d+)\)",
            ),
            raised("failed to connect to", "tcpstore"),
            anywhere(
                "the ipv6 network addresses of",
                "cannot be retrieved",
                pattern=r"addresses of \((?P<host>[^,)]{1,200}), ?(?P<port>\d+)\)",
                weight=61,
            ),
            anywhere(
                "the ipv4 network addresses of",
                "cannot be retrieved",
                pattern=r"addresses of \((?P<host>[^,)]{1,200}), ?(?P<port>\d+)\)",
                weight=61,
            ),
            raised("connection to the c10d store has failed", weight=57),
            raised("connection refused", frame="torch/distributed/rendezvous.py"),
            raised("timed out", frame="torch/distributed/rendezvous.py", weight=55),
        ),
        weight=61,
        suggestions=(
            do(
                "Check from every node that MASTER_ADDR resolves and MASTER_PORT answers (`getent hosts NAME`, `nc -vz HOST PORT`)."
            ),
            do("Start the first node, and take its real address, not localhost or a name in 127.0.0.0/8."),
        ),
        docs=f"{TORCH_DOCS}/elastic/run.html",
        examples=(
            "torch.distributed.DistNetworkError: The client socket has timed out after 60000ms while trying to connect to (10.0.0.1, 29500).",
            "[W socket.cpp:464] [c10d] The IPv6 network addresses of (node1, 15019) cannot be retrieved (gai error: -2 - Name or service not known).",
        ),
    ),
    Rule(
        category="process-group-init-env",
        title="The variables of the process group are missing",
        cause="env:// needs RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT[[; {variable} is not set]]: the script was started without its launcher.",
        signs=(
            raised(
                "error initializing torch.distributed using env:// rendezvous",
                detail=r"environment variable (?P<variable>\w+)",
            ),
            raised("environment variable", "expected, but not set", pattern=r"environment variable (?P<variable>\w+)"),
            raised(
                "world_size",
                types=("KeyError",),
                pattern=r"^KeyError: '(?P<variable>(?-i:WORLD_SIZE|LOCAL_WORLD_SIZE))'",
            ),
            raised(
                "rank",
                types=("KeyError",),
                pattern=r"^KeyError: '(?P<variable>(?-i:RANK|LOCAL_RANK|SLURM_PROCID|SLURM_LOCALID))'",
            ),
            raised("master_", types=("KeyError",), pattern=r"^KeyError: '(?P<variable>(?-i:MASTER_ADDR|MASTER_PORT))'"),
        ),
        weight=66,
        suggestions=(
            do(
                "Start it with `torchrun --nproc-per-node N train.py`, or let Lightning start the ranks and initialise the process group."
            ),
        ),
        docs=f"{TORCH_DOCS}/distributed.html#environment-variable-initialization",
        examples=(
            "ValueError: Error initializing torch.distributed using env:// rendezvous: environment variable RANK expected, but not set",
        ),
    ),
    Rule(
        category="process-group-not-initialized",
        title="A collective before there is a process group",
        cause="torch.distributed was used before init_process_group, or in a run with one process where none is made.",
        signs=(
            raised("default process group has not been initialized"),
            raised("default process group is not initialized"),
            raised("process group", "has not been initialized"),
            raised("process group", frame="torch/distributed", weight=36),
        ),
        suggestions=(
            do(
                "Ask first: `if torch.distributed.is_initialized():`, or use self.all_gather and self.trainer.strategy.reduce, which do.",
                in_code=True,
            ),
            do("Train with a distributed strategy.", strategy="ddp"),
        ),
        docs=f"{TORCH_DOCS}/distributed.html#initialization",
        examples=(
            "ValueError: Default process group has not been initialized, please make sure to call init_process_group.",
        ),
    ),
    Rule(
        category="collective-mismatch",
        title="The ranks call different collectives",
        cause="One rank called a collective operation with another shape, dtype or order than the rest: code that branches on the rank or on the data.",
        signs=(
            raised("detected mismatch between collectives on ranks"),
            raised("collectivefingerprint"),
            raised("disagreement between rank0 and rank"),
            raised("appears not to match sizes of the same param in process"),
            raised("appears not to match strides of the same param in process"),
            raised("ddp expects same model across all ranks"),
            raised("gloo", "sizes", "do not match"),
            raised("op.preamble.length <= op.nbytes"),
            raised("enforce fail at", "gloo", pattern=r"(?:\d+ vs \d+|nbytes)"),
            raised("mismatch between collective"),
            raised("collective", "mismatch", frame="torch/distributed"),
            raised("ranks", "different", "shape", frame="torch/distributed"),
        ),
        weight=63,
        suggestions=(
            do(
                "Make all ranks take the same way: no `if rank == 0:` around self.log(sync_dist=True), all_gather, barrier or save_checkpoint.",
                in_code=True,
            ),
            do("Pad tensors to one shape before gathering; build the same model on each rank."),
            do("Run once with TORCH_DISTRIBUTED_DEBUG=DETAIL: it names both operations."),
        ),
        docs=f"{TORCH_DOCS}/distributed.html#debugging-torch-distributed-applications",
        examples=(
            "RuntimeError: Detected mismatch between collectives on ranks. Rank 1 is running collective: CollectiveFingerPrint(SequenceNumber=0",
            "RuntimeError: [enforce fail at ../third_party/gloo/gloo/transport/tcp/pair.cc:446] op.preamble.length <= op.nbytes. 40 vs 4",
        ),
    ),
    Rule(
        category="collective-timeout-gloo",
        title="A collective on the CPU timed out",
        cause="A rank waited[[ {waited} ms]] for another that never joined: it was ahead, behind, stuck or gone.",
        signs=(
            raised(
                "timed out waiting",
                "for recv operation to complete",
                detail=r"Timed out waiting (?P<waited>\d+)ms",
            ),
            raised(
                "timed out waiting",
                "for send operation to complete",
                detail=r"Timed out waiting (?P<waited>\d+)ms",
            ),
            raised("monitoredbarrier"),
            raised("timed out in monitoredbarrier"),
            raised("waiting for send/recv from rank", "tim"),
            raised("wait timeout", "gloo"),
            raised("application timeout caused pair closure"),
        ),
        weight=42,
        suggestions=(
            do("Find the rank that did not come: the one without this error, or with an earlier one."),
            do("Give all ranks the same number of batches (drop_last=True, DistributedSampler)."),
            do("If a rank is only slow at the start (downloads, preparing data), raise the strategy's timeout."),
        ),
        docs=f"{TORCH_DOCS}/distributed.html#monitored-barrier",
        examples=(
            "RuntimeError: [../third_party/gloo/gloo/transport/tcp/unbound_buffer.cc:81] Timed out waiting 1800000ms for recv operation to complete",
        ),
    ),
    Rule(
        category="gloo-connection-closed",
        title="Another rank went away",
        cause="The connection to a peer was closed: that rank failed or was killed first. This is a consequence.",
        signs=(
            anywhere("connection closed by peer", lacks=("nccl",)),
            anywhere(
                "connection reset by peer",
                lacks=("nccl", "http", "urllib", "requests"),
                elsewhere=("gloo", "c10d", "tcpstore", "rank"),
            ),
            raised("broken pipe", frame="torch/distributed"),
            raised("broken pipe", "tcpstore"),
            raised("sendbytes failed"),
            raised("recvvalue failed"),
            raised("failed to recv, got 0 bytes"),
            raised("gloo", "connection", pattern=r"(?:closed|reset|lost)"),
        ),
        weight=20,
        suggestions=(
            _FIRST_RANK,
            do("If no rank left a traceback, look for SIGKILL and out of memory in the system's log (`dmesg`)."),
        ),
        docs=f"{TORCH_DOCS}/distributed.html",
        examples=(
            "RuntimeError: [../third_party/gloo/gloo/transport/tcp/pair.cc:534] Connection closed by peer [10.0.0.3]:20172",
        ),
    ),
    Rule(
        category="gloo-init-failure",
        title="gloo finds no network interface to use",
        cause="The interface[[ {interface}]] does not exist or has no address, or the machine's own name does not resolve.",
        signs=(
            raised("unable to find address for", pattern=r"Unable to find address for: ?(?P<interface>[\w.-]{1,60})"),
            raised("unable to resolve hostname to a", "address"),
            raised("gloo", "makedevicefor"),
            raised("makedeviceforhostname(): unsupported"),
            raised("gloo", "getaddrinfo"),
            raised("gloo connectfullmesh failed"),
            raised("rv != -1", "gloo"),
            raised("ifa != nullptr"),
        ),
        suggestions=(
            do("On one machine, meet on its own interface.", computed="own_interface"),
            do("Name an interface that exists (`ip -br addr`): GLOO_SOCKET_IFNAME=eth0."),
            do("Let the machine's own name resolve: a line in /etc/hosts."),
        ),
        docs=f"{TORCH_DOCS}/distributed.html#choosing-the-network-interface-to-use",
        examples=(
            "RuntimeError: [enforce fail at ../third_party/gloo/gloo/transport/tcp/device.cc:83] ifa != nullptr. Unable to find address for: eth9",
        ),
    ),
    Rule(
        category="nccl-timeout",
        title="A collective on the GPUs timed out",
        cause="[[{operation}[[ of {elements} elements]] waited {waited} ms. ]]One rank did not join the operation: it was stuck, slow, gone, or took another way through the code.",
        signs=(
            anywhere(
                "watchdog caught collective operation timeout",
                detail=r"OpType=(?P<operation>\w+)(?:, NumelIn=(?P<elements>\d+))?[^\n]{0,200}ran for (?P<waited>\d+) milliseconds",
            ),
            anywhere("some nccl operations have failed or timed out"),
            anywhere("heartbeat monitor timed out"),
            anywhere("watchdog got stuck for"),
            anywhere("nccl", "timed out in blocking wait"),
            anywhere("observed flight recorder dump signal", weight=38),
            anywhere("caught collective operation timeout"),
            raised("ncclcommgetasyncerror", "timeout"),
        ),
        weight=44,
        suggestions=(
            do(
                "Find the rank that is missing from these messages, or the one with an earlier error: there is the cause."
            ),
            do("Give all ranks the same number of batches, and no collective inside `if rank == 0:`."),
            do("If a rank has long work to do alone (validation, saving, downloads), raise the strategy's timeout."),
            do(
                "Set TORCH_NCCL_TRACE_BUFFER_SIZE=2000 and TORCH_NCCL_DUMP_ON_TIMEOUT=1: the dump shows which collective each rank was in."
            ),
        ),
        docs=f"{TORCH_DOCS}/torch_nccl_environment_variables.html",
        examples=(
            "[rank3]:[E ProcessGroupNCCL.cpp:632] [Rank 3] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=880, OpType=BROADCAST, NumelIn=131137536, NumelOut=131137536, Timeout(ms)=1800000) ran for 1800875 milliseconds before timing out.",
        ),
    ),
    Rule(
        category="nccl-unhandled-system-error",
        title="NCCL failed in a system call",
        cause="[[NCCL says: {last}. ]]A socket, shared memory or file operation failed: network between the nodes, /dev/shm, or limits of the container.",
        signs=(
            anywhere(
                "unhandled system error",
                detail=r"Last error:\s+(?P<last>[^\n]{1,200})",
                lacks=("connection closed by", "connection reset by"),
            ),
            anywhere(
                "ncclsystemerror",
                detail=r"Last error:\s+(?P<last>[^\n]{1,200})",
                lacks=("connection closed by", "connection reset by"),
            ),
            anywhere("nccl warn error while creating shared memory segment", weight=62),
            anywhere("nccl warn call to", "failed", weight=55),
            anywhere("nccl warn", "ibv_", "failed"),
            anywhere("nccl warn net/ib", weight=55, lacks=("no device found",)),
        ),
        weight=54,
        suggestions=(
            _DEBUG,
            do("Leave out direct access between GPUs, to see whether it is at fault.", computed="no_peer_to_peer"),
            do(
                "Name the network interface: NCCL_SOCKET_IFNAME=eth0; leave InfiniBand out to see whether it is at fault: NCCL_IB_DISABLE=1."
            ),
            do(
                "In a container give more shared memory (`--shm-size=8g` or `--ipc=host`), and raise `ulimit -l` for InfiniBand."
            ),
        ),
        docs=f"{_NCCL_DOCS}/troubleshooting.html",
        examples=(
            "torch.distributed.DistBackendError: NCCL error in: ../torch/csrc/distributed/c10d/NCCLUtils.hpp:219, unhandled system error (run with NCCL_DEBUG=INFO for details), NCCL version 2.18.1",
        ),
    ),
    Rule(
        category="nccl-cuda-failure",
        title="CUDA failed inside NCCL",
        cause="[[CUDA says: {what}. ]]NCCL could not use its GPU: driver and library do not fit, its memory is full, or another kernel broke the context.",
        signs=(
            anywhere("unhandled cuda error"),
            anywhere("ncclunhandledcudaerror"),
            anywhere("nccl warn cuda failure", pattern=r"Cuda failure (?:\d+ )?'(?P<what>[^']{1,120})'", weight=62),
            anywhere("nccl warn", "cuda driver", weight=58),
            anywhere("nccl warn failed to find cuda library", weight=58),
        ),
        weight=61,
        suggestions=(
            _DEBUG,
            do(
                "Check that each rank has a GPU of its own with free memory (`nvidia-smi`), and that the driver is new enough for this PyTorch."
            ),
        ),
        docs=f"{_NCCL_DOCS}/troubleshooting.html",
        examples=(
            "torch.distributed.DistBackendError: NCCL error in: ../torch/csrc/distributed/c10d/ProcessGroupNCCL.cpp:1333, unhandled cuda error (run with NCCL_DEBUG=INFO for details)",
        ),
    ),
    Rule(
        category="nccl-invalid-usage",
        title="Two ranks use one GPU",
        cause="[[{what}. ]]NCCL wants a GPU of its own for each rank; there are more ranks on the node than GPUs, or each took cuda:0.",
        signs=(
            anywhere("ncclinvalidusage", detail=r"(?P<what>Duplicate GPU detected[^\n]{0,120})"),
            anywhere("duplicate gpu detected", pattern=r"(?P<what>Duplicate GPU detected[^\n]{0,120})", weight=66),
            raised("nccl", "invalid usage"),
            anywhere("ncclinvalidargument"),
            raised("multiple gpus", "same", "nccl"),
        ),
        weight=64,
        suggestions=(
            do("Start as many ranks on a node as it has GPUs.", computed="existing_devices"),
            do(
                "Do not move things to cuda:0 by hand: use self.device, or torch.cuda.set_device(LOCAL_RANK).",
                in_code=True,
            ),
        ),
        docs=f"{_NCCL_DOCS}/usage/communicators.html",
        examples=("Duplicate GPU detected : rank 1 and rank 0 both on CUDA device 50",),
    ),
    Rule(
        category="nccl-no-gpus",
        title="NCCL was chosen, and there is no GPU",
        cause="The process group's backend is nccl, and this rank sees no GPU.",
        signs=(
            raised("processgroupnccl is only supported with gpus"),
            raised("nccl", "no gpus found"),
            raised("no backend type associated with device type cpu", weight=58),
            raised("tensors must be cuda and dense"),
        ),
        weight=68,
        suggestions=(
            do("On CPUs use gloo: strategy ddp with accelerator cpu does.", accelerator="cpu", strategy="ddp"),
            do("If there should be GPUs, look at CUDA_VISIBLE_DEVICES and the driver: `lightning-tui doctor`."),
        ),
        docs=f"{TORCH_DOCS}/distributed.html#backends",
        examples=("ValueError: ProcessGroupNCCL is only supported with GPUs, no GPUs found!",),
    ),
    Rule(
        category="nccl-not-built",
        title="This PyTorch has no NCCL",
        cause="The installed build (CPU-only, macOS or Windows) has no NCCL, and it was chosen as the backend.",
        signs=(
            raised("distributed package doesn't have nccl built in"),
            raised("distributed package doesn't have nccl"),
            raised("nccl", "not built"),
            raised("doesn't have", "nccl", "built in"),
            raised("nccl is not available"),
        ),
        weight=68,
        suggestions=(do("Install a CUDA build of PyTorch."), do("Use gloo on this machine.", accelerator="cpu")),
        docs=f"{TORCH_DOCS}/distributed.html#backends",
        examples=("RuntimeError: Distributed package doesn't have NCCL built in",),
    ),
    Rule(
        category="nccl-remote-error",
        title="A peer of NCCL is gone",
        cause="Another rank crashed or lost its network[[ ({last})]]: this one only noticed.",
        signs=(
            anywhere("ncclremoteerror", detail=r"Last error:\s+(?P<last>[^\n]{1,160})"),
            anywhere("remote process exited or there was a network error"),
            anywhere(
                "nccl",
                "connection closed by remote peer",
                detail=r"(?P<last>Connection closed by remote peer[^\n]{0,100})",
            ),
            anywhere("nccl", "connection reset by peer"),
            anywhere("nccl communicator was aborted"),
            anywhere("connection closed by remote peer"),
            raised("ncclsystemerror", pattern=r"Connection (?:closed|reset) by"),
        ),
        weight=22,
        suggestions=(_FIRST_RANK, _DEBUG),
        docs=f"{_NCCL_DOCS}/troubleshooting.html",
        examples=(
            "ncclRemoteError: A call failed possibly due to a network error or a remote process exiting prematurely.",
        ),
    ),
    Rule(
        category="nccl-socket-interface",
        title="NCCL finds no network interface",
        cause="NCCL_SOCKET_IFNAME names no usable interface, or the machine has none with an address.",
        signs=(
            anywhere("no socket interface found"),
            anywhere("no interface found in the same subnet"),
            anywhere("bootstrap : no"),
            anywhere("bootstrap", "could not find", "interface"),
        ),
        weight=67,
        suggestions=(
            do("On one machine, meet on its own interface.", computed="own_interface"),
            do("Name one that exists (`ip -br addr`): NCCL_SOCKET_IFNAME=eth0, or leave the variable unset."),
        ),
        docs=f"{_NCCL_DOCS}/env.html#nccl-socket-ifname",
        examples=("node1:1208:1208 [0] bootstrap.cc:45 NCCL WARN Bootstrap : no socket interface found",),
    ),
    Rule(
        category="ddp-unused-parameters",
        title="Some parameters got no gradient",
        cause="DDP waits for a gradient of every parameter, and some took no part in the loss[[ (parameter indices {indices})]].",
        signs=(
            raised(
                "expected to have finished reduction in the prior iteration",
                detail=r"did not receive grad for rank \d+: (?P<indices>[\d .]{1,80})",
            ),
            raised("parameters that were not used in producing the loss"),
            raised("find_unused_parameters=true", lacks=("marked", "static graph", "static_graph")),
        ),
        weight=65,
        suggestions=(
            do("Let DDP look for them.", ddp_find_unused_parameters=True, strategy="ddp"),
            do(
                "Better, take the unused modules out, or freeze them (requires_grad_(False)): the search costs time at every step.",
                in_code=True,
            ),
            do("Run once with TORCH_DISTRIBUTED_DEBUG=DETAIL: it names the parameters."),
        ),
        docs=f"{LIGHTNING_DOCS}/advanced/ddp_optimizations.html",
        examples=(
            "RuntimeError: Expected to have finished reduction in the prior iteration before starting a new one. This error indicates that your module has parameters that were not used in producing loss.",
        ),
    ),
    Rule(
        category="ddp-marked-ready-twice",
        title="DDP got the gradient of one parameter twice",
        cause="[[Parameter {name}: ]]It is shared, or a checkpointed block ran more than once, or the forward is called more than once per backward.",
        signs=(
            raised("mark a variable ready only once", detail=r"with name (?P<name>[\w.]{1,120}) "),
            raised("has been marked as ready twice", detail=r"with name (?P<name>[\w.]{1,120}) "),
        ),
        weight=66,
        suggestions=(
            do("Checkpoint activations with use_reentrant=False.", in_code=True),
            do(
                "Do not search for unused parameters together with checkpointing.",
                ddp_find_unused_parameters=False,
                strategy="ddp",
            ),
            do("If the graph is the same at every step, say so.", ddp_static_graph=True, strategy="ddp"),
        ),
        docs=f"{TORCH_DOCS}/generated/torch.nn.parallel.DistributedDataParallel.html",
        examples=(
            "RuntimeError: Expected to mark a variable ready only once. This error is caused by one of the following reasons:",
        ),
    ),
    Rule(
        category="ddp-static-graph",
        title="The graph is not static",
        cause="DDP was told that the graph stays the same (static_graph), and a step used other parameters than the first.",
        signs=(
            raised("your training graph has changed in this iteration"),
            raised("static_graph", "training graph"),
            raised("static graph", lacks=("marked",)),
            raised("_set_static_graph", lacks=("marked", "mark a variable")),
        ),
        weight=66,
        suggestions=(
            do("Do not claim a static graph.", ddp_static_graph=False, strategy="ddp"),
            do(
                "If parameters go unused in some steps, let DDP look for them.",
                ddp_find_unused_parameters=True,
                ddp_static_graph=False,
                strategy="ddp",
            ),
        ),
        docs=f"{TORCH_DOCS}/generated/torch.nn.parallel.DistributedDataParallel.html",
        examples=(
            "RuntimeError: Your training graph has changed in this iteration, e.g., one parameter is unused in first iteration, but then got used in the second iteration. this is not compatible with static_graph set to True.",
        ),
    ),
    Rule(
        category="ddp-notebook",
        title="This strategy does not run in a notebook",
        cause="[[strategy={strategy} ]]starts the script anew for each rank, which an interactive session has not.",
        signs=(
            raised(
                "is not compatible with an interactive environment", pattern=r"strategy='?(?P<strategy>[\w.]{1,60})"
            ),
            raised("not compatible with", "interactive environment"),
            raised("ddp_notebook", "compatible"),
        ),
        weight=68,
        suggestions=(do("Fork the ranks from the session.", strategy="ddp_notebook"), do("Or run it as a script.")),
        docs=f"{LIGHTNING_DOCS}/accelerators/gpu_intermediate.html",
        examples=(
            "MisconfigurationException: `Trainer(strategy='ddp')` is not compatible with an interactive environment. Run your code as a script",
        ),
    ),
    Rule(
        category="fsdp-flat-param",
        title="FSDP cannot flatten these parameters",
        cause="FSDP joins the parameters of a unit into one: they must have one dtype and one requires_grad, and must not be changed or taken out behind its back.",
        signs=(
            raised("must flatten tensors with uniform"),
            raised("uniform dtype", "flatten"),
            raised("uniform `requires_grad`"),
            raised("expects uniform original parameter dtype"),
            raised("flatparameter"),
            raised("flat_param"),
            raised("optimizer does not seem to reference any fsdp parameters"),
            raised("cannot writeback when the"),
            raised("fsdp does not support"),
            raised("shared parameters", "fsdp"),
            raised("use_orig_params"),
            raised("fsdp", "non-root"),
            raised("'weight' must be 2-d"),
            raised("fsdp", "expects", pattern=r"(?:uniform|dtype|contiguous|root)"),
        ),
        suggestions=(
            do(
                "Give all parameters of a wrapped block one dtype, and freeze whole blocks or use FSDPStrategy(use_orig_params=True).",
                in_code=True,
            ),
            do("Make the optimizer from self.trainer.model.parameters() in configure_optimizers.", in_code=True),
            do("Wrap by class, so that mixed blocks stay apart (fsdp_wrap_classes)."),
        ),
        docs=f"{LIGHTNING_DOCS}/advanced/model_parallel/fsdp.html",
        examples=(
            "ValueError: Must flatten tensors with uniform dtype but got torch.bfloat16 and torch.float32",
            "ValueError: Must flatten tensors with uniform `requires_grad` when `use_orig_params=False`",
        ),
    ),
    Rule(
        category="fsdp-requires-gpu",
        title="FSDP needs GPUs",
        cause="Lightning's FSDP strategy runs on CUDA devices only; here it got a CPU.",
        signs=(
            raised("requires a gpu accelerator"),
            raised("fsdp", "only supported on cuda"),
            raised("fsdp", "cuda accelerator"),
            raised("fsdpstrategy", "gpu"),
            raised("fsdp", "needs", "gpu"),
            raised("fully sharded", "cuda", pattern=r"(?:only|requires|supported)"),
            raised("fsdp needs a non-cpu accelerator device"),
        ),
        weight=66,
        suggestions=(do("On CPUs use DDP.", strategy="ddp"), do("Train on GPUs.", accelerator="gpu")),
        docs=f"{LIGHTNING_DOCS}/advanced/model_parallel/fsdp.html",
        examples=(
            "ValueError: The strategy `fsdp` requires a GPU accelerator, but received `accelerator='cpu'`.",
            "MisconfigurationException: You selected strategy to be `ddp_fully_sharded`, but GPU accelerator is not used. FSDPStrategy needs GPU",
        ),
    ),
    Rule(
        category="deepspeed-requires-gpu",
        title="DeepSpeed needs GPUs",
        cause="Lightning's DeepSpeed strategy runs on CUDA devices only; here it got another accelerator.",
        signs=(
            raised("deepspeed strategy is only supported on"),
            raised("deepspeed", "only supported on gpu"),
            raised("deepspeed", "only supported on cuda"),
            raised("deepspeed", "gpu accelerator"),
        ),
        weight=67,
        suggestions=(do("Train on GPUs.", accelerator="gpu"), do("On CPUs use DDP.", strategy="ddp")),
        docs=f"{LIGHTNING_DOCS}/advanced/model_parallel/deepspeed.html",
        examples=("RuntimeError: The DeepSpeed strategy is only supported on CUDA GPUs but `CPUAccelerator` is used.",),
    ),
    Rule(
        category="deepspeed-not-installed",
        title="DeepSpeed is not installed",
        cause="The DeepSpeed strategy was chosen, and the program's environment has no (new enough) DeepSpeed.",
        signs=(
            raised("you must have deepspeed installed"),
            raised("no module named 'deepspeed'"),
            raised("requires deepspeed >="),
            raised("deepspeed", "is not installed"),
            raised("using deepspeed", "install"),
            raised(
                "deepspeed", "not available", types=("ImportError", "ModuleNotFoundError", "MisconfigurationException")
            ),
        ),
        weight=70,
        suggestions=(
            do("`pip install deepspeed` in the program's environment."),
            do("Shard with FSDP instead: it needs nothing more.", strategy="fsdp"),
            do("Or share the batches alone, with DDP.", strategy="ddp"),
        ),
        docs=f"{LIGHTNING_DOCS}/advanced/model_parallel/deepspeed.html",
        examples=(
            "ImportError: To use the `DeepSpeedStrategy`, you must have DeepSpeed installed. Install it by running `pip install -U deepspeed`.",
        ),
    ),
    Rule(
        category="deepspeed-config",
        title="DeepSpeed's configuration is not valid",
        cause="A value of the DeepSpeed config is missing, unknown, or does not agree with the rest[[: {what}]].",
        signs=(
            raised("check batch related parameters", pattern=r"(?P<what>Check batch related parameters[^\n]{0,160})"),
            raised("deepspeedconfig"),
            raised("deepspeed config"),
            raised(types=("DeepSpeedConfigError",)),
            raised("deepspeed", "single optimizer"),
            raised("zero_optimization"),
            raised("train_micro_batch_size_per_gpu"),
            raised("train_batch_size", "gradient_acc_step"),
            raised("deepspeed does not support"),
            raised("deepspeed", types=("ValidationError",)),
            raised("validation error", "deepspeedzeroconfig"),
            raised("empty_init", "deepspeedstrategy"),
            raised("zero stage", pattern=r"(?:not|only|requires|must)"),
            raised("zerooffload", pattern=r"(?:not|only|requires|must|supported)"),
            raised("zero-offload"),
            raised("zero_force_ds_cpu_optimizer"),
            raised(types=("JSONDecodeError",), frame="deepspeed"),
            raised("only one optimizer is supported with deepspeed"),
            raised(
                types=("AssertionError", "ValueError", "KeyError", "TypeError", "ValidationError"),
                frame="deepspeed/runtime/config",
            ),
            raised(types=("ValidationError",), frame="deepspeed/runtime"),
        ),
        weight=63,
        suggestions=(
            do(
                "Leave gradient_accumulation_steps and the batch sizes out of the config: Lightning sets them. Check the rest against DeepSpeed's list."
            ),
            do("Take a stage of Lightning's own instead of a config file.", strategy="deepspeed_stage_2"),
        ),
        docs="https://www.deepspeed.ai/docs/config-json/",
        examples=(
            "AssertionError: Check batch related parameters. train_batch_size is not equal to micro_batch_per_gpu * gradient_acc_step * world_size 32 != 4 * 1 * 2",
            "deepspeed.runtime.config.DeepSpeedConfigError: Gradient accumulation steps",
        ),
    ),
    Rule(
        category="deepspeed-op-build",
        title="DeepSpeed could not build one of its operations",
        cause="DeepSpeed compiles its kernels at first use: nvcc, a C++ compiler or ninja is missing, or the CUDA toolkit is of another version than PyTorch's.",
        signs=(
            raised("error building extension"),
            raised("error compiling objects for extension"),
            raised("cuda_home does not exist"),
            raised("unable to compile cuda op"),
            raised("does not match the version torch was compiled with", lacks=("accepting this combination",)),
            raised("unable to jit load the"),
            raised("ds_opt_adam", ignored_too=True),
            raised("ninja is required to load c++ extensions"),
            raised("cuda_home environment variable is not set"),
            raised("list index out of range", frame="deepspeed/ops/op_builder"),
            raised(frame="deepspeed/ops/op_builder", weight=55),
            raised("deepspeed", "op", "not compatible"),
            raised("has no attribute 'ds_opt", ignored_too=True),
            raised("'ninja', '-v'"),
            raised(types=("CUDAMismatchException", "MissingCUDAException")),
        ),
        weight=65,
        suggestions=(
            do(
                "Install a CUDA toolkit of PyTorch's version with nvcc, a C++ compiler and ninja, and set CUDA_HOME; `ds_report` shows what is missing."
            ),
            do(
                "Do without its own kernels: no offload of the optimizer, torch.optim.AdamW.",
                deepspeed_offload_optimizer=False,
            ),
            do("Shard with FSDP: it compiles nothing.", strategy="fsdp"),
        ),
        docs="https://www.deepspeed.ai/tutorials/advanced-install/",
        examples=(
            "RuntimeError: Error building extension 'cpu_adam'",
            "AssertionError: CUDA_HOME does not exist, unable to compile CUDA op(s)",
            "AttributeError: 'DeepSpeedCPUAdam' object has no attribute 'ds_opt_adam'",
        ),
    ),
    Rule(
        category="uneven-inputs",
        title="The ranks have different numbers of batches",
        cause="One rank came to the end of its data while others still had batches, and their collectives no longer meet.",
        signs=(
            raised("uneven inputs"),
            raised("detected at least one rank that has exhausted inputs"),
            raised("rank", "exhausted inputs"),
        ),
        weight=62,
        suggestions=(
            do(
                "Make the shards equal: drop_last=True and a DistributedSampler (Lightning adds one; use_distributed_sampler=True)."
            ),
            do("For an IterableDataset give every rank the same number of samples, or limit the epoch.", in_code=True),
        ),
        docs=f"{TORCH_DOCS}/generated/torch.nn.parallel.DistributedDataParallel.html#torch.nn.parallel.DistributedDataParallel.join",
        examples=(
            "RuntimeError: Detected at least one rank that exhausted inputs. Throwing across all ranks. uneven inputs",
        ),
    ),
    Rule(
        category="child-failed",
        title="One of torchrun's workers failed",
        cause="torchrun only reports it[[: rank {rank} left with exit code {code}]]. Why it failed stands above, or in that rank's own log.",
        signs=(
            raised(
                types=("ChildFailedError",),
                detail=r"Root Cause[\s\S]{0,300}rank\s{1,8}: (?P<rank>\d+)[\s\S]{0,80}exitcode\s{1,8}: (?P<code>-?\d+)",
            ),
            printed("childfailederror"),
            printed("failed (exitcode:", pattern=r"failed \(exitcode: (?P<code>-?\d+)\) local_rank: (?P<rank>\d+)"),
            raised(
                types=("ProcessExitedException",),
                detail=r"process (?P<rank>\d+) terminated with exit code (?P<code>\d+)",
            ),
            raised("returned non-zero exit status", types=("CalledProcessError",)),
            printed("exits with return code", "[error]", pattern=r"return code = (?P<code>-?\d+)"),
            raised(types=("ProcessRaisedException",)),
            printed("child process with pid", "terminated with code", pattern=r"terminated with code (?P<code>-?\d+)"),
        ),
        weight=6,
        suggestions=(
            do("Look above for that rank's first traceback, or run with `torchrun --log-dir logs --redirects 3`."),
            do(
                "Wrap main in torch.distributed.elastic.multiprocessing.errors.record: torchrun then shows the traceback itself.",
                in_code=True,
            ),
        ),
        docs=f"{TORCH_DOCS}/elastic/errors.html",
        examples=("torch.distributed.elastic.multiprocessing.errors.ChildFailedError:",),
    ),
    Rule(
        category="rank-exited-early",
        title="A rank left while the others train or begin to",
        cause="[[{standstill}. ]]"
        "[[Rank {rank} ended with exit code 0 {when}: ]]the rest wait for it in the next collective.",
        signs=(
            anywhere("left with exit code 0 amid the fit"),
            anywhere("left with exit code 0 before the fit began"),
        ),
        weight=58,
        suggestions=(
            do("Find a sys.exit, a return or a `break` that only some ranks reach.", in_code=True),
            do("Give all ranks the same number of batches and epochs."),
        ),
        docs=f"{LIGHTNING_DOCS}/accelerators/gpu_intermediate.html",
        examples=(
            "SystemExit: left with exit code 0 amid the fit",
            "SystemExit: left with exit code 0 before the fit began",
        ),
    ),
    Rule(
        category="stall",
        title="Training stands still",
        cause="[[{standstill}[[, where a step takes {step} s]]. ]]A rank waits for a collective that another never joins, for a lock, or for a batch that does not come.",
        signs=(anywhere("no progress for", "training", "stall"),),
        severity="warning",
        weight=55,
        suggestions=(
            do("Look at what each rank does: `py-spy dump --pid PID`."),
            do("Wait for no other machine: train on this one.", computed="one_machine"),
            do("Load data in the main process, to see whether a worker hangs.", computed="no_workers"),
            do("Stop it and resume from the newest checkpoint.", computed="resume"),
        ),
        docs=f"{TORCH_DOCS}/distributed.html#debugging-torch-distributed-applications",
    ),
)
