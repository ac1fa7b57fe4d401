"""All settings in one typed object; read once by `bot.bootstrap` and passed in."""

import json
import os
import secrets
from contextlib import suppress
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from pydantic import AliasChoices, Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot.errors import WrongSetting
from bot.languages import LANGUAGE_PATTERN

ROOT = Path(__file__).resolve().parent.parent
PROCESSES = ("gateway", "worker", "knowledge", "actions", "rasa")
"""What `usher up` starts, besides a Valkey when there is no other Redis."""


class Settings(BaseSettings):
    """Usher's settings: `USHER_<NAME>` in the environment or in a `.env` file."""

    model_config = SettingsConfigDict(
        env_prefix="USHER_", env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True
    )

    data_dir: Path = Field(
        default=ROOT / ".usher", description="Folder of the database, the model and the secrets."
    )
    database_url: str = Field(
        default="",
        validation_alias=AliasChoices("DATABASE_URL", "USHER_DATABASE_URL", "database_url"),
        description="SQLAlchemy URL of a PostgreSQL database; empty: SQLite in the data folder.",
    )
    redis_url: str = Field(
        default="",
        validation_alias=AliasChoices("REDIS_URL", "USHER_REDIS_URL", "redis_url"),
        description="URL of a Redis or Valkey server; empty: the bundled Valkey is started.",
    )
    secrets_file: str = Field(
        default="",
        description="File with the secrets that all machines share; empty: `secrets.json` in the "
        "data folder, made at the first start.",
    )
    processes: str = Field(
        default=",".join(PROCESSES),
        description="What `usher up` starts on this machine, separated by commas.",
    )
    workers: int = Field(
        default=1, ge=1, le=64, description="Worker processes that `usher up` starts here."
    )
    host: str = Field(default="127.0.0.1", description="Address the gateway listens on.")
    port: int = Field(default=8000, ge=1, le=65535, description="Port of the gateway.")
    internal_port: int = Field(
        default=8100,
        ge=1,
        le=65530,
        description="First of four ports in a row: knowledge, actions, Rasa, Valkey.",
    )
    internal_host: str = Field(
        default="127.0.0.1",
        description="Address that knowledge, actions and Rasa listen on: loopback, or this "
        "machine's on a private network.",
    )
    knowledge_urls: str = Field(
        default="",
        description="Knowledge servers of all machines, separated by commas; empty: this one's.",
    )
    actions_urls: str = Field(
        default="",
        description="Action servers of all machines, separated by commas; empty: this one's.",
    )
    rasa_urls: str = Field(
        default="",
        description="Rasa servers of all machines, separated by commas; empty: this one's.",
    )
    metrics_port: int = Field(
        default=9460,
        ge=0,
        le=65535,
        description="First of the ports with metrics for Prometheus: gateway, knowledge, then each "
        "worker; 0: no metrics.",
    )
    metrics_host: str = Field(
        default="127.0.0.1", description="Address that the metrics are served on."
    )
    public_url: str = Field(
        default="", description="Address customers reach the gateway at, if not host and port."
    )
    knowledge_base: Path = Field(
        default=ROOT / "knowledge_base", description="Folder of the articles."
    )
    acts: Path = Field(
        default=ROOT / "data" / "nlu",
        description="Folder of the examples of dialogue acts; a saved change is served at once.",
    )
    journeys: Path = Field(default=ROOT / "journeys", description="Folder of the journeys.")
    embedding_model: str = Field(
        default="multilingual-e5-small",
        min_length=1,
        description="`multilingual-e5-small` (bundled), or a folder or hub name of another model "
        "for sentence-transformers.",
    )
    answer_precision: float = Field(
        default=0.9, gt=0.5, lt=1, description="How often an answer that is given must be right."
    )
    offer_precision: float = Field(
        default=0.25,
        gt=0,
        lt=1,
        description="Titles are offered when the right one is at least this probably among them.",
    )
    feedback_refresh_minutes: int = Field(
        default=15,
        ge=1,
        description="How often the knowledge base learns what customers and agents have judged.",
    )
    default_language: str = Field(
        default="en",
        pattern=LANGUAGE_PATTERN,
        description="Language when nothing tells which one the customer speaks.",
    )
    conversation_silence_minutes: int = Field(
        default=720,
        ge=1,
        description="A message after this silence opens a new conversation.",
    )
    turns_at_once: int = Field(
        default=16, ge=1, le=64, description="Conversations that one worker handles side by side."
    )
    combine_messages: bool = Field(
        default=True,
        description="What a customer writes while the assistant is busy is answered as one.",
    )
    recovery_minutes: int = Field(
        default=10, ge=1, description="An unanswered turn goes to a human after this long."
    )
    retention_days: int = Field(
        default=0,
        ge=0,
        le=36500,
        description="Conversations in which nothing was said for so many days are removed, with "
        "all that belongs to them; 0: none ever.",
    )
    trace_retention_days: int = Field(
        default=90,
        ge=0,
        le=36500,
        description="Traces of turns that are older are emptied; 0: they stay with their "
        "conversation.",
    )
    identity_secret: str = Field(
        default="", description="Key of the shop's HS256 identity tokens; empty: none is accepted."
    )
    webhook_secret: str = Field(
        default="", description="Key of signed purchase events; empty: made at the first start."
    )
    webhook_secret_previous: str = Field(
        default="", description="The key before, accepted while the shop changes to the new one."
    )
    webhook_channel_url: str = Field(
        default="",
        pattern=r"^(https?://\S+)?$",
        description="Address of the shop's own app, which is sent what its customers are told; "
        "empty: the channel is off.",
    )
    webhook_channel_secret: str = Field(
        default="",
        validate_default=True,
        description="Key that signs what goes to and comes from that app.",
    )
    webhook_channel_secret_previous: str = Field(
        default="", description="The key before, accepted while the app changes to the new one."
    )
    webhook_channel_per_second: float = Field(
        default=20, gt=0, description="Messages that the app is sent in a second."
    )
    webhook_channel_at_once: int = Field(
        default=8, ge=1, le=100, description="Messages that are on their way to the app at once."
    )
    demo_shop: bool = Field(
        default=True, description="Let the buttons of the demo shop page buy for free."
    )
    messages_per_minute: int = Field(
        default=60, ge=1, description="Messages accepted from one visitor in a minute."
    )
    visitors_per_minute: int = Field(
        default=60, ge=1, description="New visitors accepted from one address in a minute."
    )

    @field_validator("processes")
    @classmethod
    def _known_processes(cls, value: str) -> str:
        named = _parts(value)
        if not named or not set(named) <= set(PROCESSES):
            raise ValueError(f"must be one or more of {', '.join(PROCESSES)}")
        return value

    @field_validator("metrics_port")
    @classmethod
    def _own_metrics_ports(cls, value: int, others: ValidationInfo) -> int:
        internal, workers = others.data.get("internal_port"), others.data.get("workers", 1)
        taken = {others.data.get("port"), *range(internal, internal + 4)} if internal else set()
        if value and taken & set(range(value, value + 2 + workers)):
            raise ValueError("the ports from there on must not meet the gateway's or internal ones")
        return value

    @field_validator("internal_host")
    @classmethod
    def _private_address(cls, value: str) -> str:
        try:
            address = ip_address(value)
        except ValueError:
            raise ValueError("must be an IP address of this machine") from None
        if address.is_unspecified or address.is_multicast or address.is_global:
            raise ValueError(
                "must be loopback or an address on a private network; the processes that listen "
                "there are not for the public"
            )
        return value

    @field_validator("knowledge_urls", "actions_urls", "rasa_urls")
    @classmethod
    def _internal_urls(cls, value: str) -> str:
        for url in _parts(value):
            parts = urlsplit(url)
            if parts.scheme not in {"http", "https"} or not parts.hostname:
                raise ValueError(f"{url!r} is not an address like http://10.0.0.2:8100")
        return value

    @field_validator("webhook_channel_secret")
    @classmethod
    def _signed_channel(cls, value: str, others: ValidationInfo) -> str:
        if others.data.get("webhook_channel_url") and not value:
            raise ValueError("must be set when USHER_WEBHOOK_CHANNEL_URL is")
        return value

    def runs(self, process: str) -> bool:
        """Whether `usher up` starts this process on this machine."""
        return process in _parts(self.processes)

    @property
    def runs_everything(self) -> bool:
        return set(_parts(self.processes)) == set(PROCESSES)

    @property
    def is_on_loopback(self) -> bool:
        """Whether only this machine reaches knowledge, actions and Rasa."""
        return ip_address(self.internal_host).is_loopback

    @property
    def knowledge_servers(self) -> tuple[str, ...]:
        return _parts(self.knowledge_urls) or (self.knowledge_url,)

    @property
    def action_servers(self) -> tuple[str, ...]:
        return _parts(self.actions_urls) or (self.actions_url,)

    @property
    def rasa_servers(self) -> tuple[str, ...]:
        return _parts(self.rasa_urls) or (self.rasa_url,)

    @property
    def internal_servers(self) -> dict[str, tuple[str, ...]]:
        """The servers of each kind that a turn needs."""
        return {
            "knowledge": self.knowledge_servers,
            "actions": self.action_servers,
            "rasa": self.rasa_servers,
        }

    @property
    def knowledge_port(self) -> int:
        return self.internal_port

    @property
    def actions_port(self) -> int:
        return self.internal_port + 1

    @property
    def rasa_port(self) -> int:
        return self.internal_port + 2

    @property
    def valkey_port(self) -> int:
        return self.internal_port + 3

    @property
    def knowledge_url(self) -> str:
        return self._internal_url(self.knowledge_port)

    @property
    def actions_url(self) -> str:
        return self._internal_url(self.actions_port)

    @property
    def rasa_url(self) -> str:
        return self._internal_url(self.rasa_port)

    def _internal_url(self, port: int) -> str:
        host = self.internal_host
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    @property
    def gateway_url(self) -> str:
        return self.public_url.rstrip("/") or f"http://{self.host}:{self.port}"

    @property
    def effective_database_url(self) -> str:
        if not self.database_url:
            return f"sqlite:///{self.data_dir / 'usher.db'}"
        # SQLAlchemy's default PostgreSQL driver is psycopg2; ours is psycopg 3.
        for prefix in ("postgres://", "postgresql://"):
            if self.database_url.startswith(prefix):
                return "postgresql+psycopg://" + self.database_url.removeprefix(prefix)
        return self.database_url

    @property
    def effective_redis_url(self) -> str:
        if self.redis_url:
            return self.redis_url
        return f"redis://:{quote(self.secret('valkey'))}@127.0.0.1:{self.valkey_port}/0"

    @property
    def purchase_secrets(self) -> tuple[str, ...]:
        current = self.webhook_secret or self.secret("webhook")
        return tuple(each for each in (current, self.webhook_secret_previous) if each)

    @property
    def webhook_channel_secrets(self) -> tuple[str, ...]:
        both = (self.webhook_channel_secret, self.webhook_channel_secret_previous)
        return tuple(each for each in both if each)

    @cached_property
    def _secrets(self) -> dict[str, str]:
        """Random keys made at the first start and kept, readable by the owner alone."""
        path = Path(self.secrets_file or self.data_dir / "secrets.json")
        if self.secrets_file and not path.is_file():
            raise WrongSetting(
                f"USHER_SECRETS_FILE is {path}, and there is no such file. Copy `secrets.json` "
                "from the data folder of the first machine."
            )
        if not path.exists():
            self.data_dir.mkdir(parents=True, exist_ok=True)
            names = ("valkey", "rasa", "webhook", "session")
            made = {name: secrets.token_urlsafe(32) for name in names}
            temporary = path.with_suffix(f".{os.getpid()}")
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT, 0o600), "w") as out:
                json.dump(made, out)
            # A link fails where a rename would replace: the first process's keys count.
            with suppress(FileExistsError):
                path.hardlink_to(temporary)
            temporary.unlink()
        loaded: dict[str, str] = json.loads(path.read_text())
        return loaded

    def secret(self, name: str) -> str:
        return self._secrets[name]


def _parts(text: str) -> tuple[str, ...]:
    """What commas separate, without empty parts and slashes at the end."""
    return tuple(each.strip().rstrip("/") for each in text.split(",") if each.strip())


def load_settings(**overrides: Any) -> Settings:
    """Read the settings.

    Raises:
        WrongSetting: names each key that has a wrong value and what was expected.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        wrong = "; ".join(
            f"USHER_{'_'.join(map(str, each['loc'])).upper()} is {each['input']!r}: {each['msg']}"
            for each in error.errors()
        )
        raise WrongSetting(f"{wrong}. Mend it in the environment or in the .env file.") from error
