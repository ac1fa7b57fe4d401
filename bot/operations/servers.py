"""What uvicorn starts: each a factory without arguments."""

import resource

from fastapi import FastAPI

from bot import bootstrap
from bot.gateway import app as gateway_app


def gateway() -> FastAPI:
    bootstrap.configure_logging()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # a websocket is an open file
    return gateway_app.create_app(bootstrap.settings(), bootstrap.database())


def knowledge() -> FastAPI:
    from bot.knowledge import service  # torch is loaded by this process alone

    bootstrap.configure_logging()
    return service.create_app(bootstrap.settings())
