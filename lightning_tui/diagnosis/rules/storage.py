"""What goes wrong with disks, and with services on the network: downloads, model hubs, trackers, the platform."""

from __future__ import annotations

from lightning_tui.diagnosis.model import Rule
from lightning_tui.diagnosis.rules.forms import HUB_DOCS, LIGHTNING_DOCS, anywhere, do, printed, raised

_TRACKERS = (
    "wandb",
    "mlflow",
    "neptune",
    "comet_ml",
    "comet.com",
    "clearml",
    "aim.",
    "/api/2.0/mlflow",
    "tensorboard.dev",
    "swanlab",
)
_PLATFORM = ("lightning_sdk", "lightning_cloud", "api.lightning.ai", "host='lightning.ai'", "lightning.ai/v1")

_NO_TEMPORARY = "None of the usual temporary folders can be written: the disk is full, or they are read-only."
_OTHER_TEMPORARY = do("Set TMPDIR to a folder that has room and may be written, and make room in /tmp.")

RULES = (
    Rule(
        category="disk-full",
        title="The disk is full",
        cause="No space is left where the program writes[[: {path}]].",
        signs=(
            anywhere(
                "no space left on device",
                detail=r"No space left on device: (?:'[^']{1,300}' -> )?'(?P<path>[^']{1,300})'",
                lacks=("shared memory", "shm", "/torch_"),
                weight=70,
            ),
            raised("unexpected pos", pattern=r"unexpected pos \d+ vs \d+"),
            raised("pytorchstreamwriter failed writing file"),
            raised("enforce fail at inline_container.cc", "file write failed", weight=69),
            anywhere("errno 28", lacks=("shared memory", "shm", "/torch_"), weight=70),
            raised("not enough free disk space"),
            anywhere("disk is full"),
            raised("not enough disk space"),
            raised("no usable temporary directory found", cause=_NO_TEMPORARY, suggestions=(_OTHER_TEMPORARY,)),
            printed("not enough free disk space to download", weight=40),
        ),
        weight=67,
        suggestions=(
            do("Make room: `df -h`, then old checkpoints, caches (~/.cache), /tmp."),
            do("Keep one checkpoint instead of many.", computed="one_checkpoint_every_epoch"),
            do("Write elsewhere: default_root_dir on a larger disk."),
        ),
        docs=f"{LIGHTNING_DOCS}/common/checkpointing_basic.html",
        examples=(
            "OSError: [Errno 28] No space left on device: '/out/last.ckpt'",
            "RuntimeError: [enforce fail at inline_container.cc:424] . unexpected pos 448 vs 342",
        ),
    ),
    Rule(
        category="disk-quota",
        title="Your disk quota is used up",
        cause="The file system has room, but you may not use more of it[[: {path}]].",
        signs=(
            anywhere("disk quota exceeded", detail=r"exceeded: '(?P<path>[^']{1,300})'"),
            raised("errno 122"),
            raised("edquot"),
            anywhere("quota exceeded", lacks=("api", "request", "rate", "gpu", "http")),
            anywhere("user block limit reached"),
        ),
        weight=71,
        suggestions=(
            do(
                "See what you use (`quota -s`, `du -sh ~/* | sort -h`), and move checkpoints and caches (HF_HOME, TORCH_HOME, ~/.cache) to scratch space."
            ),
            do("Keep one checkpoint instead of many.", computed="one_checkpoint_every_epoch"),
        ),
        docs=f"{LIGHTNING_DOCS}/common/checkpointing_basic.html",
        examples=("OSError: [Errno 122] Disk quota exceeded: '/home/me/.cache/x'",),
    ),
    Rule(
        category="output-dir-missing",
        title="The folder to write into does not exist",
        cause="[[{path} is not there, and what writes does not make it.]]",
        signs=(
            raised(
                "parent directory", "does not exist", pattern=r"[Pp]arent directory (?P<path>\S{1,300}) does not exist"
            ),
            raised("non-existent directory", pattern=r"directory: '?(?P<path>[^'\n]{1,300})"),
            raised("cannot save file into a non-existent directory"),
            raised(
                "directory",
                "doesn't exist",
                types=("FileNotFoundError", "RuntimeError", "OSError", "ValueError"),
                frame="save",
            ),
            raised(
                "no such file or directory",
                types=("FileNotFoundError",),
                frame="torch/serialization.py",
                last_frame="_open_file_like",
                weight=50,
            ),
            raised("missing folder:"),
            raised(
                "no such file or directory",
                types=("FileNotFoundError",),
                elsewhere=(
                    "torch.save(",
                    '"w")',
                    "'w')",
                    '"wb")',
                    "'wb')",
                    '"a")',
                    "to_csv(",
                    "savefig(",
                    "np.save(",
                    "json.dump(",
                ),
                pattern=r"directory: '(?P<path>[^']{1,300})'",
                weight=59,
            ),
            raised("output directory", "does not exist"),
            raised("save_dir", "does not exist"),
        ),
        weight=65,
        suggestions=(
            do("Let the Trainer write elsewhere.", computed="another_folder"),
            do("Make it first: Path(path).parent.mkdir(parents=True, exist_ok=True).", in_code=True),
        ),
        docs="https://docs.python.org/3/library/pathlib.html#pathlib.Path.mkdir",
        examples=(
            "RuntimeError: Parent directory checkpoints/run_17 does not exist.",
            "OSError: Cannot save file into a non-existent directory: 'results/2024'",
        ),
    ),
    Rule(
        category="permission-denied",
        title="No permission",
        cause="[[{path} may not be read or written by this user.]]",
        signs=(
            raised(types=("PermissionError",), detail=r"denied: '(?P<path>[^']{1,300})'", lacks=("/dev/shm",)),
            anywhere(
                "permission denied",
                detail=r"(?:denied: '?|: )(?P<path>/[^'\s:]{1,300})'?",
                lacks=("publickey", "/dev/shm", "socket"),
            ),
            raised("errno 13"),
            raised("errno 1]", "operation not permitted"),
            raised("eacces"),
            raised("operation not permitted", types=("PermissionError", "OSError")),
            raised("accessdenied"),
            raised("access denied", types=("OSError", "RuntimeError")),
            raised("is not writable"),
        ),
        weight=62,
        suggestions=(
            do("Let the Trainer write elsewhere.", computed="another_folder"),
            do("Write where you may: default_root_dir in your own folder."),
            do("See who owns it (`ls -ld PATH`); folders made in a container often belong to root."),
        ),
        docs="https://man7.org/linux/man-pages/man1/chmod.1.html",
        examples=("PermissionError: [Errno 13] Permission denied: '/data/out'",),
    ),
    Rule(
        category="read-only-filesystem",
        title="The file system is read-only",
        cause="[[{path} lies on a file system that is mounted for reading only (a container's image, a data set, a disk with errors).]]",
        signs=(
            anywhere("read-only file system", detail=r"file system: '(?P<path>[^']{1,300})'"),
            raised("errno 30"),
            raised("erofs"),
        ),
        weight=67,
        suggestions=(
            do("Let the Trainer write elsewhere.", computed="another_folder"),
            do("Write elsewhere: default_root_dir on a disk that can be written."),
            do("Point caches there too: HF_HOME, TORCH_HOME, MPLCONFIGDIR."),
        ),
        docs=f"{LIGHTNING_DOCS}/common/trainer.html#default-root-dir",
        examples=("OSError: [Errno 30] Read-only file system: '/mnt/runs'",),
    ),
    Rule(
        category="hf-gated-or-auth",
        title="The Hub does not let you at this repository",
        cause="[[{repository}: ]]It is gated or private, does not exist under this name, or the token is missing or not valid.",
        signs=(
            raised(
                types=("GatedRepoError", "RepositoryNotFoundError", "LocalTokenNotFoundError"),
                detail=r"huggingface\.co/(?:api/models/|api/datasets/)?(?P<repository>[\w.-]{1,96}/[\w.-]{1,96})",
            ),
            anywhere("gated repo"),
            raised(
                "is not a local folder and is not a valid model identifier",
                pattern=r"Error: (?P<repository>[\w./-]{1,160}) is not a local folder",
            ),
            raised("you must be authenticated to access it"),
            raised("repository not found for url"),
            raised("401 client error", "huggingface"),
            raised("403 client error", "huggingface"),
            raised("access to model", "is restricted"),
            raised("invalid user token"),
            raised("invalid credentials in authorization header"),
            raised("token is required", elsewhere=("huggingface", "hf_hub", "transformers")),
            raised("if this is a private repo"),
            raised("huggingface-cli login"),
            raised("hf auth login"),
            raised("is a gated dataset"),
            raised("doesn't exist on the hub or cannot be accessed"),
            raised("awaiting a review from the repo authors"),
            anywhere("please log in", "huggingface"),
            raised("user access token", "expired"),
            raised("token", "huggingface", types=("HfHubHTTPError", "HTTPError"), pattern=r"40[13]"),
            raised("40", types=("HfHubHTTPError",), pattern=r"\b40[13] (?:Client Error|Forbidden|Unauthorized)"),
        ),
        weight=70,
        suggestions=(
            do(
                "Ask for access on the model's page, then log in: `hf auth login`, or HF_TOKEN in the environment (never in the code)."
            ),
            do("Check the repository's name."),
        ),
        docs=f"{HUB_DOCS}/quick-start#authentication",
        examples=(
            "huggingface_hub.errors.GatedRepoError: 401 Client Error.\n\nCannot access gated repo for url https://huggingface.co/meta-llama/Llama-3-8B/resolve/main/config.json.",
            "OSError: nope/nope is not a local folder and is not a valid model identifier listed on 'https://huggingface.co/models'",
        ),
    ),
    Rule(
        category="hf-rate-limit-or-outage",
        title="The Hub refuses or is out of order",
        cause="It answered[[ {status}]]: too many requests from this address, or an outage.",
        signs=(
            raised("too many requests", elsewhere=("huggingface", "hf_hub", "/api/models", "transformers")),
            raised(
                "429", elsewhere=("huggingface", "hf_hub", "transformers", "datasets"), pattern=r"(?P<status>\b429\b)"
            ),
            raised(
                "server error",
                elsewhere=("huggingface", "hf_hub", "transformers"),
                pattern=r"(?P<status>\b50\d\b) Server Error",
            ),
            raised("rate limit", "hugging"),
            raised(types=("HfHubHTTPError",), pattern=r"(?P<status>\b(?:429|50\d)\b)"),
            raised("service unavailable", elsewhere=("huggingface", "transformers")),
            raised("bad gateway", elsewhere=("huggingface",)),
            raised("gateway time-out", elsewhere=("huggingface",)),
            raised("we had to rate limit"),
        ),
        weight=71,
        suggestions=(
            do(
                "Wait, and let one process download (`hf download NAME`) before the others start; then HF_HUB_OFFLINE=1."
            ),
            do("Log in: limits for known users are higher. https://status.huggingface.co shows outages."),
        ),
        docs="https://huggingface.co/docs/hub/rate-limits",
        examples=(
            "huggingface_hub.errors.HfHubHTTPError: 429 Client Error: Too Many Requests for url: https://huggingface.co/api/models/x",
        ),
    ),
    Rule(
        category="hf-offline",
        title="The Hub cannot be reached, and the files are not in the cache",
        cause="There is no way to huggingface.co from here, or offline mode is on, and what is wanted was not downloaded before.",
        signs=(
            raised("couldn't connect to", "huggingface"),
            raised(types=("LocalEntryNotFoundError", "OfflineModeIsEnabled", "OfflineModeEnabled")),
            raised("couldn't find them in the cached files"),
            raised("outgoing traffic has been disabled"),
            raised("hf_hub_offline"),
            raised("offline mode is enabled"),
            raised(
                "huggingface.co",
                pattern=r"(?:Max retries exceeded|[Nn]ame resolution|Failed to resolve|timed out|Connection(?:Error| refused| reset)|SSLError)",
            ),
            raised("cannot find the requested files in the disk cache"),
            raised("cannot find the requested files in the local cache"),
            raised("couldn't reach", "hub"),
            raised("couldn't reach", types=("ConnectionError",)),
            raised("cannot reach", "huggingface"),
            raised("an error happened while trying to locate the file on the hub"),
            raised("can't load", "make sure you don't have a local directory with the same name", weight=61),
        ),
        weight=69,
        suggestions=(
            do(
                "Download it where there is a network (`hf download NAME`), and copy or share HF_HOME; then HF_HUB_OFFLINE=1."
            ),
            do("Behind a proxy set HTTPS_PROXY; with a mirror HF_ENDPOINT."),
        ),
        docs="https://huggingface.co/docs/transformers/installation#offline-mode",
        examples=(
            "OSError: We couldn't connect to 'https://huggingface.co' to load the files, and couldn't find them in the cached files.",
            "huggingface_hub.errors.LocalEntryNotFoundError: An error happened while trying to locate the file on the Hub",
        ),
    ),
    Rule(
        category="experiment-tracker-auth",
        title="The experiment tracker wants a login",
        cause="Weights & Biases, MLflow, Neptune or Comet got no key, or one that is not valid.",
        signs=(
            anywhere("api_key not configured"),
            anywhere("no api key configured", weight=65),
            raised("wandb", "api key"),
            raised(types=("AuthenticationError",), frame="wandb"),
            anywhere("permission denied", "wandb", weight=66),
            raised("wandb", pattern=r"(?:40[13]|[Uu]nauthorized|not logged in|[Pp]ermission)"),
            raised("user is not logged in", "wandb"),
            raised("neptuneinvalidapitoken"),
            raised("neptunemissingapitoken"),
            raised(
                types=(
                    "NeptuneMissingApiTokenException",
                    "NeptuneInvalidApiTokenException",
                    "NeptuneUnauthorizedError",
                    "MissingApiTokenException",
                )
            ),
            raised("comet", "api key"),
            anywhere("comet error", "api", weight=64),
            raised("mlflow", pattern=r"40[13]|[Uu]nauthorized"),
            raised("authentication", "mlflow"),
            raised("clearml", "credentials"),
            raised("api key must be"),
            raised("api key must have", "characters"),
            raised(types=("CometRestApiException", "InvalidAPIKey", "MissingAPIKey")),
        ),
        weight=70,
        suggestions=(
            do(
                "Log in on this machine (`wandb login`), or set WANDB_API_KEY (NEPTUNE_API_TOKEN, COMET_API_KEY, MLFLOW_TRACKING_TOKEN) in the environment of the run."
            ),
            do("Train without it: WANDB_MODE=offline, or a CSVLogger.", computed="tracker_offline"),
        ),
        docs="https://docs.wandb.ai/ref/cli/wandb-login",
        examples=("wandb.errors.UsageError: api_key not configured (no-tty). call wandb.login(key=[your_api_key])",),
    ),
    Rule(
        category="experiment-tracker-connection",
        title="The experiment tracker cannot be reached",
        cause="Its server[[ ({host})]] does not answer from here.",
        signs=(
            raised(types=("CommError",)),
            raised("unable to attach to run", types=("UsageError",)),
            raised("error communicating with wandb"),
            anywhere("wandb: network error", weight=38, lacks=("resolved",), nowhere=("network error resolved",)),
            anywhere("wandb: error error while calling w&b api", weight=60),
            raised("wandb", pattern=r"(?:[Tt]imed out|[Cc]onnect|[Nn]etwork|[Rr]etries)"),
            raised("mlflow", pattern=r"(?:[Cc]onnection|Max retries|refused|timed out|API request|Failed to)"),
            raised(
                "max retries exceeded",
                elsewhere=_TRACKERS,
                detail=r"host='(?P<host>[^']{1,120})'",
                lacks=("huggingface",),
            ),
            raised(types=("NeptuneConnectionLostException",)),
            raised("neptune", pattern=r"(?:[Cc]onnection|timed out)"),
            raised("run initialization has timed out"),
            raised("comet", pattern=r"(?:connection|timed out|reach)"),
            raised(types=("ServiceStartTimeoutError", "ServiceStartProcessError", "MailboxClosedError")),
            raised("api request to http", pattern=r"https?://(?P<host>[^/\s]{1,120})"),
            raised("wandb-core"),
            raised("wandb-service"),
            raised("connection", frame="/wandb/"),
            raised("connection", frame="/mlflow/"),
            raised("connection", frame="/neptune/"),
        ),
        weight=68,
        suggestions=(
            do("Train offline and upload later: WANDB_MODE=offline, then `wandb sync`."),
            do("Check the address (MLFLOW_TRACKING_URI), the proxy and the firewall: `curl -I URL` from the node."),
        ),
        docs="https://docs.wandb.ai/guides/technical-faq/setup",
        examples=(
            "wandb.errors.CommError: Run initialization has timed out after 90.0 sec.",
            "mlflow.exceptions.MlflowException: API request to http://127.0.0.1:5000/api/2.0/mlflow/runs/create failed with exception HTTPConnectionPool: Max retries exceeded",
        ),
    ),
    Rule(
        category="platform-auth",
        title="Not logged in to the Lightning AI platform",
        cause="The SDK got no credentials, or they are not valid any more.",
        signs=(
            raised(
                elsewhere=_PLATFORM,
                pattern=r"\b40[13]\b|[Uu]nauthorized|[Nn]ot authenticated|[Uu]nauthenticated",
                frame="lightning_sdk",
            ),
            raised("lightning_sdk.", types=("ApiException", "UnauthorizedException"), pattern=r"\(401\)|Unauthorized"),
            raised("lightning login"),
            raised("you are not authenticated with lightning"),
            raised("lightning_api_key"),
            raised("lightning_user_id"),
            raised("login to lightning"),
            raised("invalid api key", elsewhere=_PLATFORM),
            raised("authentication", frame="lightning_sdk", lacks=("connection",)),
            raised("token", "expired", elsewhere=_PLATFORM),
            raised("unauthorized", elsewhere=_PLATFORM),
            raised("not logged in", elsewhere=_PLATFORM),
            printed("please login", elsewhere=_PLATFORM),
            printed("not logged in", elsewhere=("lightning",), lacks=("wandb",)),
            raised("unable to authenticate"),
            raised("failed to authenticate", elsewhere=_PLATFORM),
        ),
        weight=72,
        suggestions=(
            do(
                "`lightning login`, or set LIGHTNING_USER_ID and LIGHTNING_API_KEY in the environment (Settings > Keys)."
            ),
        ),
        docs="https://lightning.ai/docs/overview/sdk-reference",
        examples=("lightning_sdk.exceptions.AuthError: You are not authenticated with Lightning. Run lightning login",),
    ),
    Rule(
        category="platform-connection",
        title="The Lightning AI platform cannot be reached",
        cause="There is no way to lightning.ai from here: no network, a proxy, or an outage.",
        signs=(
            raised("host='lightning.ai'"),
            raised(
                "lightning.ai",
                pattern=r"(?:Max retries|Failed to resolve|[Cc]onnection|timed out|[Nn]ame resolution|SSL|50[234])",
            ),
            raised("no internet connection available", frame="lightning_sdk"),
            raised("connection", frame="lightning_sdk"),
            raised("timed out", frame="lightning_sdk"),
            raised("litlogger", pattern=r"(?:[Cc]onnect|resolve|timed out)"),
            raised("max retries exceeded", frame="litlogger"),
            raised("host='api.lightning.ai'"),
            raised("cloud.lightning.ai", pattern=r"(?:Max retries|resolve|[Cc]onnection|timed out)"),
            raised("max retries exceeded", frame="litmodels"),
            raised("50", frame="lightning_sdk", types=("ApiException",), pattern=r"\(50[234]\)"),
        ),
        weight=71,
        suggestions=(
            do(
                "Check the network and the proxy (HTTPS_PROXY), and the platform's status; train without its logger meanwhile."
            ),
        ),
        docs="https://lightning.ai/docs/overview",
        examples=(
            "requests.exceptions.ConnectionError: HTTPSConnectionPool(host='lightning.ai', port=443): Max retries exceeded with url: /v1/auth",
        ),
    ),
    Rule(
        category="platform",
        title="The Lightning AI platform refuses",
        cause="[[{what}. ]]A quota, credits, a machine type or a studio is not what the run needs.",
        signs=(
            raised("lightning.ai", lacks=("lightning.ai/docs",), weight=36),
            raised(frame="lightning_sdk", weight=46),
            raised(
                "lightning_sdk.",
                types=("ApiException", "ForbiddenException", "NotFoundException"),
                detail=r"Reason: (?P<what>[^\n]{1,120})",
            ),
            raised(types=("ApiException",), frame="lightning", weight=50),
            anywhere("lightning", "insufficient credits"),
            anywhere("insufficient credits"),
            anywhere(
                "quota",
                elsewhere=_PLATFORM,
                pattern=r"(?P<what>[^\n]{0,80}quota[^\n]{0,80}(?:exceed|reach|limit)[^\n]{0,60})",
            ),
            anywhere("studio", "does not exist", elsewhere=("lightning", "teamspace")),
            anywhere(
                "teamspace",
                pattern=r"(?P<what>[^\n]{0,60}[Tt]eamspace[^\n]{0,60}(?:not found|does not exist|no access|could not)[^\n]{0,60})",
            ),
            anywhere("machine", "not available", elsewhere=_PLATFORM),
            anywhere("out of capacity", elsewhere=_PLATFORM),
            anywhere("spot", "interrupted", elsewhere=("lightning", "studio")),
            anywhere("studio is", "stopp", elsewhere=("lightning",)),
            anywhere(
                "lightning.ai",
                pattern=r"(?P<what>[^\n]{0,100}(?:quota|credits|billing|limit reached)[^\n]{0,100})",
            ),
        ),
        weight=64,
        suggestions=(
            do(
                "Look at the teamspace's credits, quotas and machines on https://lightning.ai, or choose a smaller machine."
            ),
            do(
                "If the machine went away, resume from the newest checkpoint on persistent storage (/teamspace).",
                computed="resume",
            ),
        ),
        docs="https://lightning.ai/docs/overview",
        examples=("RuntimeError: Lightning.ai: insufficient credits to start machine H100",),
    ),
    Rule(
        category="download-offline",
        title="A download failed",
        cause="[[{host} could not be reached: no network on this node, a name that does not resolve, a proxy or a certificate.]]",
        signs=(
            raised("temporary failure in name resolution"),
            raised("name or service not known"),
            raised("failed to resolve"),
            raised("getaddrinfo failed"),
            raised("nodename nor servname"),
            raised("certificate_verify_failed"),
            raised("ssl", types=("SSLError", "SSLCertVerificationError", "SSLEOFError", "SSLZeroReturnError")),
            raised("max retries exceeded", detail=r"host='(?P<host>[^']{1,120})'", weight=55),
            raised(
                types=(
                    "URLError",
                    "NewConnectionError",
                    "ConnectTimeout",
                    "ReadTimeout",
                    "ConnectionError",
                    "ProxyError",
                    "NameResolutionError",
                    "ConnectTimeoutError",
                    "ContentTooShortError",
                    "ChunkedEncodingError",
                    "IncompleteRead",
                    "EndpointConnectionError",
                    "ClientConnectorError",
                    "MaxRetryError",
                    "ConnectError",
                    "RemoteDisconnected",
                    "ReadTimeoutError",
                    "SSLError",
                    "ClientConnectorDNSError",
                ),
                detail=r"host='(?P<host>[^']{1,120})'",
                weight=52,
            ),
            raised("network is unreachable"),
            raised("unable to connect to proxy"),
            raised("tunnel connection failed"),
            raised("no route to host", weight=51),
            raised("error downloading"),
            raised("failed to download"),
            raised(types=("HTTPError",), frame="urllib", weight=51),
            raised("hash mismatch", frame="hub", weight=50),
            raised("no internet connection"),
            raised("invalid hash value"),
            raised("could not resolve host"),
            printed("could not resolve host"),
            printed("curl: (", pattern=r"curl: \((?:6|7|28|35|60)\)"),
            printed("wget: unable to resolve"),
        ),
        weight=57,
        suggestions=(
            do(
                "Fetch it where there is a network (a login node), and point the program at the local copy (TORCH_HOME, root=..., download=False)."
            ),
            do("Behind a proxy set HTTPS_PROXY; for a company's certificate set REQUESTS_CA_BUNDLE or SSL_CERT_FILE."),
        ),
        docs="https://docs.pytorch.org/docs/stable/hub.html#where-are-my-downloaded-models-saved",
        examples=(
            "urllib.error.URLError: <urlopen error [Errno -3] Temporary failure in name resolution>",
            "requests.exceptions.ProxyError: HTTPSConnectionPool(host='x.org', port=443): Max retries exceeded",
        ),
    ),
)
