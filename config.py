"""Every setting a machine gives, read from the environment; what a shop changes lives in
services/settings.py.
"""

import base64
import contextlib
import os
import re
import secrets
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit


class ConfigError(RuntimeError):
    """A setting is missing or dangerous; the message says which one and what to write."""


@dataclass(frozen=True)
class Config:
    """What the machine says; built once by `read()` and handed to app.py."""

    env: str
    data_dir: Path
    database_url: str
    redis_url: str
    base_url: str
    secret_key: str
    smtp_url: str
    sms_url: str
    mondial_relay_url: str
    port: int
    sealing_keys: str = ""
    old_secret_keys: str = ""
    metrics_token: str = ""
    backup_dir: str = ""
    log_file: str = ""
    feeds_dir: str = ""
    files_url: str = ""
    files_key: str = field(default="", repr=False)
    files_secret: str = field(default="", repr=False)

    @property
    def backups(self) -> Path:
        """Where backups are written: beside the data unless told otherwise (another disk is
        better).
        """
        return Path(self.backup_dir) if self.backup_dir else self.data_dir / "backups"

    @property
    def is_production(self) -> bool:
        return self.env == "production"

    @property
    def base_host(self) -> str:
        return (urlsplit(self.base_url).hostname or "").lower()

    @property
    def is_https(self) -> bool:
        return self.base_url.startswith("https://")


def read(env: dict[str, str] | None = None) -> Config:
    """Read the settings; raises ConfigError with a sentence when production lacks one or reaches a
    simulator.
    """
    env = dict(os.environ) if env is None else env
    # COMPTOIR_ENV: "trial" (default: simulators, demo accounts) or "production" (neither can be
    # reached).
    mode = env.get("COMPTOIR_ENV", "trial")
    # COMPTOIR_DATA_DIR: where files, the embedded databases and the trial's secret live.
    data_dir = Path(env.get("COMPTOIR_DATA_DIR") or Path(__file__).parent / "var").resolve()
    data_dir.mkdir(parents=True, exist_ok=True)
    # PORT: where the web server listens.
    port = int(env.get("PORT") or 8000)
    # COMPTOIR_BASE_URL: the address of the back office; its host answers /gestion/.
    base_url = (env.get("COMPTOIR_BASE_URL") or f"http://127.0.0.1:{port}").rstrip("/")
    # COMPTOIR_DATABASE_URL: SQLAlchemy address; SQLite under the data directory when absent.
    database_url = env.get("COMPTOIR_DATABASE_URL") or f"sqlite:///{data_dir / 'comptoir.db'}"
    if database_url.startswith("postgresql://"):
        database_url = database_url.replace("postgresql://", "postgresql+psycopg://", 1)
    # COMPTOIR_REDIS_URL: queue, limits and locks in Redis; a SQLite file when absent.
    redis_url = env.get("COMPTOIR_REDIS_URL", "")
    # COMPTOIR_SMTP_URL: smtp://user:password@host:587 (smtps:// for TLS from the first byte);
    # absent: mails wait.
    smtp_url = env.get("COMPTOIR_SMTP_URL", "")
    # COMPTOIR_SMS_URL: where the SMS gateway takes POST {"to", "text", "reference"}; absent:
    # messages wait.
    sms_url = env.get("COMPTOIR_SMS_URL", "")
    # COMPTOIR_MONDIAL_RELAY_URL: one host instead of the carrier's own (its simulator); absent: his
    # services in production, none in a trial.
    mondial_relay_url = env.get("COMPTOIR_MONDIAL_RELAY_URL", "")
    # COMPTOIR_SEALING_KEYS: « id:base64 of 32 bytes », newest first; seals IBANs, document numbers,
    # the register, carrier keys.
    # An old key stays in the list as long as something it sealed lives. Made once under the data
    # directory for a trial.
    sealing_keys = env.get("COMPTOIR_SEALING_KEYS", "")
    # COMPTOIR_SECRET_KEY: signs cookies and links; made once under the data directory for a trial.
    secret_key = env.get("COMPTOIR_SECRET_KEY", "")
    # COMPTOIR_OLD_SECRET_KEYS: earlier secrets, newest first, comma-separated: what they signed
    # stays readable until it expires.
    old_secret_keys = env.get("COMPTOIR_OLD_SECRET_KEYS", "")
    # COMPTOIR_METRICS_TOKEN: what a monitoring program sends (« Authorization: Bearer … ») to read
    # /api/v1/metrics; absent: closed.
    metrics_token = env.get("COMPTOIR_METRICS_TOKEN", "")
    # COMPTOIR_BACKUP_DIR: where the night's backup goes; under the data directory when absent,
    # another disk is better.
    backup_dir = env.get("COMPTOIR_BACKUP_DIR", "")
    # COMPTOIR_LOG_FILE: where logs go, as lines of JSON; absent: the error output.
    log_file = env.get("COMPTOIR_LOG_FILE", "")
    # COMPTOIR_FEEDS_DIR: the watched folder, where shops or their tills drop stock files
    # (FOLDER/STORE CODE/file.csv); absent: none.
    feeds_dir = env.get("COMPTOIR_FEEDS_DIR", "")
    # COMPTOIR_FILES_URL: an S3-compatible store for photos, documents, files and backups, shared by
    # several machines (s3://bucket/prefix?endpoint=https://…&region=…); absent: a folder.
    # COMPTOIR_FILES_KEY, COMPTOIR_FILES_SECRET: its access key.
    files_url = env.get("COMPTOIR_FILES_URL", "")
    files_key, files_secret = (
        env.get("COMPTOIR_FILES_KEY", ""),
        env.get("COMPTOIR_FILES_SECRET", ""),
    )
    _check_store(files_url, files_key, files_secret)
    config = Config(
        env=mode,
        data_dir=data_dir,
        database_url=database_url,
        redis_url=redis_url,
        base_url=base_url,
        secret_key=secret_key or ("" if mode == "production" else _trial_secret(data_dir)),
        smtp_url=smtp_url,
        sms_url=sms_url,
        mondial_relay_url=mondial_relay_url,
        port=port,
        sealing_keys=sealing_keys or ("" if mode == "production" else trial_sealing_key(data_dir)),
        old_secret_keys=old_secret_keys,
        metrics_token=metrics_token,
        backup_dir=backup_dir,
        log_file=log_file,
        feeds_dir=feeds_dir,
        files_url=files_url,
        files_key=files_key,
        files_secret=files_secret,
    )
    if mode == "production":
        _check_production(config)
    return config


def _check_production(config: Config) -> None:
    """Raise ConfigError with what production lacks, or what of it would reach a simulator. The
    secrets of a trial are not made for production: they are compulsory.
    """
    if config.metrics_token and len(config.metrics_token) < 20:
        raise ConfigError(
            "COMPTOIR_METRICS_TOKEN is too short: at least 20 random characters, or none at all."
        )
    if len(config.secret_key) < 32:
        raise ConfigError(
            "COMPTOIR_SECRET_KEY is compulsory in production: at least 32 random characters."
        )
    if not re.fullmatch(r"\w+:[A-Za-z0-9+/]{43}=(,\w+:[A-Za-z0-9+/]{43}=)*", config.sealing_keys):
        raise ConfigError(
            "COMPTOIR_SEALING_KEYS is compulsory in production: « k1: » and 32 random bytes in"
            " base64 (openssl rand -base64 32)."
        )
    redis = urlsplit(config.redis_url)
    if config.redis_url and redis.scheme != "unix" and not redis.password:
        raise ConfigError(
            "COMPTOIR_REDIS_URL needs a password in production (redis://:password@host:6379/0):"
            " whoever reaches an open Redis reads and writes the queue and the limits."
        )
    if not config.base_url.startswith("https://"):
        raise ConfigError("COMPTOIR_BASE_URL must be an https:// address in production.")
    for name, url in (
        ("SMTP", config.smtp_url),
        ("SMS", config.sms_url),
        ("MONDIAL_RELAY", config.mondial_relay_url),
    ):
        if "simulator" in url or urlsplit(url).port in SIMULATOR_PORTS:
            raise ConfigError(
                f"COMPTOIR_{name}_URL points at a simulator, which production may not reach."
            )


def _check_store(url: str, key: str, secret: str) -> None:
    """Raise ConfigError with what is wrong in the address of the store of files."""
    if not url:
        return
    parts = urlsplit(url)
    if parts.scheme != "s3" or not parts.netloc:
        raise ConfigError("COMPTOIR_FILES_URL must be s3://bucket/prefix?endpoint=https://…")
    if not key or not secret:
        raise ConfigError("COMPTOIR_FILES_URL needs COMPTOIR_FILES_KEY and COMPTOIR_FILES_SECRET.")


# The trial's simulators listen here (simulators/__main__.py); production refuses these ports.
SIMULATOR_PORTS = {8025, 8026, 8027}


def _trial_secret(data_dir: Path) -> str:
    return _made_once(data_dir / "secret_key", lambda: secrets.token_urlsafe(48))


def trial_sealing_key(data_dir: Path) -> str:
    return _made_once(
        data_dir / "sealing_key",
        lambda: "trial:" + base64.b64encode(secrets.token_bytes(32)).decode(),
    )


def _made_once(path: Path, make: Callable[[], str]) -> str:
    data_dir = path.parent
    if not path.exists():
        # Written aside, then linked: two processes that start together end with the same secret.
        descriptor, aside = tempfile.mkstemp(dir=data_dir)
        with os.fdopen(descriptor, "w") as file:
            file.write(make())
        with contextlib.suppress(FileExistsError):
            os.link(aside, path)
        os.unlink(aside)
    return path.read_text()
