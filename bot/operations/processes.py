"""Usher's processes: their commands, their environment, and supervisord that keeps them up."""

import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.knowledge.embedding.cache import path_of
from bot.settings import ROOT, Settings

RASA_PYTHON = ROOT / ".venv-rasa" / "bin" / "python"
MODEL_NAME = "assistant.tar.gz"
STOP_SECONDS = 10


@dataclass(frozen=True)
class Program:
    """One process that supervisord runs and restarts."""

    name: str
    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    """What it alone finds in its environment."""


def model_path(settings: Settings) -> Path:
    return settings.data_dir / "models" / MODEL_NAME


def vectors_path(settings: Settings) -> Path:
    """The cache of the embedding model's vectors, which Rasa's training reads."""
    return path_of(settings.data_dir / "vectors", settings.embedding_model)


def programs(settings: Settings) -> list[Program]:
    """Every process of this machine, in the order in which they start."""
    python = sys.executable
    uvicorn = (
        python, "-m", "uvicorn", "--factory", "--no-access-log", "--log-level", "warning",
        "--loop", "uvloop", "--http", "httptools",
    )  # fmt: skip
    public = (
        "--ws", "websockets-sansio", "--ws-max-size", "65536", "--ws-per-message-deflate", "false",
        "--timeout-graceful-shutdown", "3", "--no-server-header",
    )  # fmt: skip
    wanted = [
        Program(
            "knowledge",
            (*uvicorn, "bot.operations.servers:knowledge",
             "--host", settings.internal_host, "--port", str(settings.knowledge_port)),
        ),
        Program(
            "actions",
            (*uvicorn, "bot.operations.servers:actions",
             "--host", settings.internal_host, "--port", str(settings.actions_port)),
        ),
        Program(
            "rasa",
            (str(RASA_PYTHON), "-m", "rasa", "run", "--interface", settings.internal_host,
             "--port", str(settings.rasa_port), "--model", str(model_path(settings)),
             "--endpoints", str(ROOT / "endpoints.yml"),
             "--credentials", str(ROOT / "credentials.yml")),
        ),
        *_workers(settings, (python, "-m", "bot.worker")),
        Program(
            "gateway",
            (*uvicorn, *public, "bot.operations.servers:gateway",
             "--host", settings.host, "--port", str(settings.port)),
        ),
    ]  # fmt: skip
    wanted = [each for each in wanted if settings.runs(each.name.partition("-")[0])]
    if not settings.redis_url:
        wanted.insert(0, Program("valkey", (python, "-m", "bot.operations.valkey")))
    return wanted


def _workers(settings: Settings, command: tuple[str, ...]) -> list[Program]:
    """The workers, each with a name of its own that it has again after a restart."""
    # A lease keeps 255 characters of it; the number at the end must be among them.
    # Supervisord's configuration knows no way to write a quote within quotes.
    machine = f"{socket.gethostname()}:{settings.data_dir.resolve()}"[-240:].replace('"', "_")
    return [
        Program(
            "worker" if settings.workers == 1 else f"worker-{number}",
            command,
            (("USHER_WORKER_NAME", f"{machine}:{number}"),),
        )
        for number in range(1, settings.workers + 1)
    ]


def environment(settings: Settings) -> Mapping[str, str]:
    """What the processes find in their environment; secrets are passed in no other way."""
    return {
        **os.environ,
        "USHER_DATA_DIR": str(settings.data_dir.resolve()),
        # Rasa's action server: the one beside it, if there is one.
        "USHER_ACTIONS_URL": (
            settings.actions_url if settings.runs("actions") else settings.action_servers[0]
        ),
        "USHER_KNOWLEDGE_URL": settings.knowledge_servers[0],
        "USHER_REDIS_URL": settings.effective_redis_url,
        "USHER_RASA_SECRET": settings.secret("rasa"),
        "USHER_VECTORS": str(vectors_path(settings)),
        "RASA_TELEMETRY_ENABLED": "false",
        "LOG_LEVEL": "INFO",  # Rasa's: below it would log what customers write
        "SQLALCHEMY_SILENCE_UBER_WARNING": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TOKENIZERS_PARALLELISM": "false",
        "OMP_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
    }


def supervisor_config(settings: Settings) -> str:
    """A configuration of supervisord; it holds no secrets."""
    folder = settings.data_dir.resolve()
    logs = folder / "logs"
    sections = [
        f"""[supervisord]
nodaemon=true
silent=true
logfile={_quoted(logs / "supervisord.log")}
logfile_maxbytes=5MB
logfile_backups=1
pidfile={_quoted(folder / "supervisord.pid")}
directory={_quoted(ROOT)}
minfds=16384

[unix_http_server]
file={_quoted(folder / "supervisor.sock")}
chmod=0600

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://{_quoted(folder / "supervisor.sock")}
"""
    ]
    sections += [
        f"""[program:{program.name}]
command={" ".join(_quoted(part) for part in program.command)}
environment={",".join(_assigned(*each) for each in program.environment)}
autorestart=true
startsecs=2
startretries=1000000
stopasgroup=true
killasgroup=true
stopwaitsecs={STOP_SECONDS}
redirect_stderr=true
stdout_logfile={_quoted(logs / program.name)}.log
stdout_logfile_maxbytes=20MB
stdout_logfile_backups=2
"""
        for program in programs(settings)
    ]
    return "\n".join(sections)


def _quoted(part: object) -> str:
    text = str(part).replace("%", "%%")
    return f'"{text}"' if " " in text else text


def _assigned(name: str, value: str) -> str:
    return '{}="{}"'.format(name, value.replace("%", "%%"))
