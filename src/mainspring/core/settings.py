"""The one module that reads the environment; everything else is handed values."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from mainspring.core.errors import Invalid

DEFAULT_PORT = 8321
DEFAULT_HOME = Path(".mainspring")
DEFAULT_WORKSPACE = "default"

VARIABLES = {
    "MAINSPRING_HOME": "the folder that holds everything of an embedded installation",
    "MAINSPRING_URL": "the address of the server that the CLI and the SDK talk to",
    "MAINSPRING_TOKEN": "the API token that the CLI and the SDK sign in with",
    "MAINSPRING_WORKSPACE": "the workspace that the CLI and the SDK work in",
    "MAINSPRING_DATABASE": "the database URL of `mainspring up`, SQLite in the home by default",
    "MAINSPRING_ARTIFACTS": "where `mainspring up` keeps files, a folder of the home by default",
    "MAINSPRING_AUDIT_FOLDER": "where `mainspring up` writes the signed checkpoints of the event log, "
    "an existing folder, best on another disk; `audit` in the home by default",
    "MAINSPRING_CHECKPOINT_EVENTS": "events of a workspace after which a checkpoint is signed, 1000",
    "MAINSPRING_CHECKPOINT_MINUTES": "minutes after which one is signed if anything was logged, 10",
    "MAINSPRING_ALLOWED_ORIGINS": "origins of web pages that may send changes to `mainspring up`, like "
    "https://notebooks.example, separated by commas",
    "MAINSPRING_ALLOWED_HOSTS": "further names that `mainspring up` answers to, separated by commas",
    "MAINSPRING_SESSION_HOURS": "hours that a browser stays signed in at the most, 12",
    "MAINSPRING_SESSION_IDLE_MINUTES": "minutes that it stays so while nothing is asked, 120",
    "MAINSPRING_OUTBOUND_ALLOW": "hosts and networks that webhooks may call though not public, "
    "separated by commas",
    "MAINSPRING_MODE": "how the SDK records: `online`, `offline` (into the spool alone, until "
    "`mainspring sync`) or `disabled` (not at all)",
    "MAINSPRING_RUN": "the run that this process's first `ms.run` joins; `mainspring run` sets it",
    "MAINSPRING_ACTIVE_RUN": "the run of the process that started this one; the SDK sets it",
    "MAINSPRING_SETUP": "the digest of configuration and code of MAINSPRING_RUN; `mainspring run` sets it",
    "MAINSPRING_ON_DUPLICATE": "what is done about a run that was tried before: `warn`, `reuse` or "
    "`stop`",
    "MAINSPRING_SPOOL_LIMIT_MB": "how much the spool of a home may take while a server is away; by "
    "default half of the disk that is free, and 2048 at least",
    "MAINSPRING_FINISH_TIMEOUT": "seconds that the end of a run waits for a server that does not "
    "take anything, 30",
    "MAINSPRING_PARAMS": "the parameters of `mainspring run -p`, as JSON, for the command that it runs",
    "MAINSPRING_AUTOLOG": "the packages whose trainings record themselves in what `mainspring run` "
    "starts; it sets it",
    "MAINSPRING_CAPTURE_ENV": "names of further environment variables to keep with runs, separated "
    "by commas",
    "MAINSPRING_WEBHOOK_ATTEMPTS": "how often a webhook's peer is asked before it is given up, 6",
    "MAINSPRING_WEBHOOK_TIMEOUT": "seconds that a webhook's peer may take to answer, 30",
}
"""Every environment variable that is read, with its meaning; docs/settings.md lists the same."""

CAPTURED = (
    "CONDA_DEFAULT_ENV", "CUBLAS_WORKSPACE_CONFIG", "CUDA_VISIBLE_DEVICES", "JAX_PLATFORMS",
    "KMP_AFFINITY", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MKL_NUM_THREADS", "NCCL_DEBUG",
    "NUMEXPR_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PYTHONHASHSEED",
    "PYTORCH_CUDA_ALLOC_CONF", "RANK", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_JOB_ID",
    "SLURM_JOB_NAME", "SLURM_NTASKS", "SLURM_PROCID", "TF_DETERMINISTIC_OPS",
    "TOKENIZERS_PARALLELISM", "WORLD_SIZE", "XLA_FLAGS",
)  # fmt: skip
"""Variables of the field that say how a program ran, and hold no secret; runs keep them."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a server or an in-process client is told from outside."""

    home: Path = DEFAULT_HOME
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    database: str | None = None
    artifacts: str | None = None
    audit: str | None = None
    allowed_origins: frozenset[str] = frozenset()
    allowed_hosts: frozenset[str] = frozenset()
    testing: bool = False
    """Whether the server also has the route that empties the store."""

    @property
    def database_url(self) -> str:
        """The SQLAlchemy URL of the metadata database."""
        if self.database is None:
            return f"sqlite:///{self.home.absolute() / 'mainspring.db'}"
        scheme, colon, rest = self.database.partition("://")
        if scheme in ("postgres", "postgresql", "postgresql+psycopg") and colon:
            return f"postgresql+psycopg://{rest}"
        if scheme == "sqlite" and colon:
            return self.database
        raise Invalid(
            f"no database at {scheme + colon!r}...; wanted sqlite:///FILE or postgresql://...",
            field="database",
        )

    @property
    def artifacts_folder(self) -> Path:
        """The folder of the content-addressed files."""
        if self.artifacts is None:
            return self.home.absolute() / "artifacts"
        scheme, colon, rest = self.artifacts.partition("://")
        if colon and scheme != "file":
            raise Invalid(
                f"files cannot be kept at {self.artifacts!r}; wanted a folder or file:///FOLDER",
                field="artifacts",
            )
        return Path(rest if colon else self.artifacts).absolute()

    @property
    def audit_folder(self) -> Path:
        """The folder of the signed checkpoints."""
        return self.home.absolute() / "audit" if self.audit is None else Path(self.audit).absolute()


def read_variable(name: str) -> str | None:
    """The value of one documented environment variable; empty counts as unset."""
    assert name in VARIABLES, name
    return os.environ.get(name) or None


def read_number(name: str, otherwise: int) -> int:
    """The positive number in an environment variable."""
    text = read_variable(name)
    if text is None:
        return otherwise
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= 1_000_000):
        raise Invalid(f"{name} is {text!r}, wanted a positive number", field=name)
    return int(text)


def read_words(name: str) -> frozenset[str]:
    """The words of an environment variable that are separated by commas, in small letters."""
    words = (word.strip().lower() for word in (read_variable(name) or "").split(","))
    return frozenset(word for word in words if word)


def put_variable(name: str, value: str | None) -> None:
    """Set or remove one documented variable, for the processes that this one starts."""
    assert name in VARIABLES, name
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def launcher_ranks() -> list[int]:
    """The ranks that launchers of parallel trainings gave this process."""
    names = ["RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK"]
    if os.environ.get("SLURM_NTASKS", "1") != "1":
        names.append("SLURM_PROCID")
    found = (os.environ.get(name, "") for name in names)
    return [int(text) for text in found if text.isascii() and text.isdigit()]


def captured_variables() -> dict[str, str]:
    """The variables that runs keep: those known to be harmless, and those that the user names."""
    wanted = {*CAPTURED, *(read_variable("MAINSPRING_CAPTURE_ENV") or "").split(",")}
    names = sorted(name.strip() for name in wanted)
    return {name: os.environ[name] for name in names if name in os.environ}


def visible_accelerators() -> list[str] | None:
    """The numbers and names of the accelerators that CUDA may use; None for all."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    return None if given is None else [part.strip() for part in given.split(",") if part.strip()]


def home_folder(given: str | None = None) -> Path:
    """The home: what was given, else the environment, else `.mainspring` here."""
    return Path(given or read_variable("MAINSPRING_HOME") or DEFAULT_HOME).absolute()


def foreign_environment() -> dict[str, str]:
    """The environment as it is but for our own variables, for a command of its own."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MAINSPRING_")}


def inherited_environment() -> dict[str, str]:
    """The environment as it is, for a command that is to notice nothing of us."""
    return dict(os.environ)


def clean_environment(**extra: str) -> dict[str, str]:
    """The environment for a child process, with the library thread pools kept to themselves."""
    return {**os.environ, "PYTHONUNBUFFERED": "1", **extra}
