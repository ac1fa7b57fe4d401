"""What uvicorn starts: each a factory without arguments."""

import resource
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI

from bot import bootstrap
from bot.gateway import app as gateway_app

if TYPE_CHECKING:
    from sanic import Sanic


def gateway() -> FastAPI:
    bootstrap.configure_logging()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # a websocket is an open file
    return gateway_app.create_app(bootstrap.settings(), bootstrap.database())


def knowledge() -> FastAPI:
    from bot.knowledge import service  # torch is loaded by this process alone

    bootstrap.configure_logging()
    return service.create_app(bootstrap.settings(), bootstrap.feedback_reader())


def actions() -> "Sanic[Any, Any]":
    """One process, unlike `python -m rasa_sdk`, whose children outlive it and keep the port."""
    from rasa_sdk.endpoint import create_app
    from rasa_sdk.executor import ActionExecutor

    executor = ActionExecutor()
    executor.register_package("actions")
    app: Sanic[Any, Any] = create_app(executor, cors_origins=None)
    return app
