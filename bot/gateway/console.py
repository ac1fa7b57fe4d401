"""The agents' console: its API. Routes parse, call the handoff room and answer."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import Field
from sqlalchemy import select

from bot.conversations import feedback, remarks
from bot.conversations.nudges import DELIVERIES, TIMELINE, TURNS
from bot.conversations.tables import Conversation, Message
from bot.conversations.timeline import as_seen_by_customer
from bot.deliveries import reports
from bot.errors import Forbidden, NotFound, Unauthenticated
from bot.gateway.context import Gateway, gateway_of
from bot.gateway.http import Body, read_body
from bot.handoff import agents, queue
from bot.handoff.tables import Agent, Handoff
from bot.help_links import article_url
from bot.journeys.tables import Purchase
from bot.knowledge.articles.articles import Article
from bot.messages import Source
from bot.turns import reading_traces

log = structlog.get_logger()
router = APIRouter(prefix="/console/api")

COOKIE = "usher_agent"


class SignIn(Body):
    email: Annotated[str, Field(max_length=255)]
    password: Annotated[str, Field(max_length=1024)]


class AgentReply(Body):
    client_message_id: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00]*$")]
    text: str
    article: Annotated[str, Field(max_length=100)] | None = None


class ArticleJudgement(Body):
    article: Annotated[str, Field(max_length=100)] | None
    right: bool | None


def _own_page(request: Request) -> None:
    """Other sites can neither set this header nor send the cookie (SameSite=Strict)."""
    if request.headers.get("x-usher-console") != "1":
        raise Forbidden("This may only be called by the console.")


async def _agent(request: Request) -> Agent:
    token = request.cookies.get(COOKIE)
    if not token:
        raise Unauthenticated("Sign in first.")
    return await asyncio.to_thread(agents.agent_of, gateway_of(request).database, token)


@router.post("/sign-in")
async def sign_in(request: Request) -> JSONResponse:
    _own_page(request)
    gateway = gateway_of(request)
    body = await read_body(request, SignIn)
    gateway.sign_in_limit.take(body.email.strip().lower())
    agent, token = await asyncio.to_thread(
        agents.sign_in, gateway.database, body.email, body.password
    )
    response = JSONResponse({"name": agent.name, "email": agent.email})
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(agents.SESSION_LENGTH.total_seconds()),
        path="/console",
        httponly=True,
        samesite="strict",
        secure=gateway.settings.public_url.startswith("https:"),
    )
    return response


@router.post("/sign-out")
async def sign_out(request: Request) -> JSONResponse:
    _own_page(request)
    token = request.cookies.get(COOKIE, "")
    await asyncio.to_thread(agents.sign_out, gateway_of(request).database, token)
    response = JSONResponse({})
    response.delete_cookie(COOKIE, path="/console")
    return response


@router.get("/me")
async def me(request: Request) -> dict[str, str]:
    agent = await _agent(request)
    return {"name": agent.name, "email": agent.email}


@router.get("/conversations")
async def conversations(request: Request) -> dict[str, Any]:
    agent = await _agent(request)
    found = await asyncio.to_thread(queue.entries, gateway_of(request).database)
    return {
        "conversations": [
            {
                "id": entry.conversation.id,
                "language": entry.conversation.language,
                "owner": entry.conversation.owner,
                "reason": entry.handoff.reason,
                "urgent": entry.handoff.is_urgent,
                "requested_at": entry.handoff.requested_at.isoformat(),
                "claimed_by": entry.agent_name,
                "mine": entry.handoff.agent_id == agent.id,
                "last_text": entry.last_message.text[:200],
                "last_author": entry.last_message.author,
            }
            for entry in found
        ]
    }


@router.get("/remarks")
async def unread_remarks(request: Request) -> dict[str, Any]:
    """What customers have said when asked for their opinion, and nobody has read yet."""
    await _agent(request)
    found = await asyncio.to_thread(remarks.unread, gateway_of(request).database)
    return {
        "remarks": [
            {
                "id": each.message_id,
                "conversation": each.conversation_id,
                "language": each.language,
                "text": each.text,
                "made_at": each.made_at.isoformat(),
            }
            for each in found
        ]
    }


@router.post("/remarks/{message_id}/read")
async def read_remark(request: Request, message_id: str) -> dict[str, Any]:
    _own_page(request)
    agent = await _agent(request)
    database = gateway_of(request).database
    await asyncio.to_thread(remarks.mark_read, database, message_id, agent.id)
    return {}


@router.get("/conversations/{conversation_id}")
async def conversation(request: Request, conversation_id: str) -> dict[str, Any]:
    agent = await _agent(request)
    gateway = gateway_of(request)
    found, handoff, name, messages = await asyncio.to_thread(
        queue.transcript, gateway.database, conversation_id
    )
    undelivered = await asyncio.to_thread(reports.undelivered, gateway.database, conversation_id)
    return {
        "id": found.id,
        "owner": found.owner,
        "language": found.language,
        "mine": handoff is not None and handoff.agent_id == agent.id,
        "reason": handoff.reason if handoff else None,
        "requested_at": handoff.requested_at.isoformat() if handoff else None,
        "claimed_by": name,
        **await asyncio.to_thread(_considered, gateway, agent, found, handoff, messages),
        "purchases": await asyncio.to_thread(_purchases, gateway, found.customer_id),
        "messages": [
            as_seen_by_customer(each, gateway.help_url)
            | {"turn": each.turn_id, "undelivered": undelivered.get(each.seq)}
            for each in messages
        ],
    }


@router.get("/conversations/{conversation_id}/turns/{turn_id}")
async def turn(request: Request, conversation_id: str, turn_id: str) -> dict[str, Any]:
    """Why the assistant answered as it did: what it understood, looked up and weighed."""
    await _agent(request)
    gateway = gateway_of(request)
    found = await asyncio.to_thread(
        reading_traces.of_turn, gateway.database, conversation_id, turn_id
    )
    match = found.match
    return {
        "id": found.turn,
        "state": found.state,
        "tries": found.tries,
        "problem": found.problem,
        "begun_at": found.begun_at.isoformat(),
        "handoff": found.trace.get("handoff"),
        "timings": found.trace.get("timings") or {},
        "dialogue": found.dialogue or None,
        "match": await asyncio.to_thread(_with_articles, gateway, match) if match else None,
    }


def _with_articles(gateway: Gateway, match: Mapping[str, Any]) -> dict[str, Any]:
    language = match.get("article_language") or match["language"]
    return dict(match) | {
        "candidates": [
            _candidate(gateway, language, each) for each in match.get("candidates") or ()
        ]
    }


def _considered(
    gateway: Gateway,
    agent: Agent,
    conversation: Conversation,
    handoff: Handoff | None,
    messages: Sequence[Message],
) -> dict[str, Any]:
    """The question of a handoff, its candidates, and what the agent has said about them."""
    if handoff is None:
        return {"question": None, "candidates": []}
    marks = feedback.marks(gateway.database, handoff.question_id, agent.id)
    question = next((each for each in messages if each.id == handoff.question_id), None)
    return {
        "question": {"text": question.text, "no_article": marks.no_article} if question else None,
        "candidates": [
            _candidate(gateway, conversation.language, each)
            | {"right": marks.articles.get(each["article"])}
            for each in handoff.candidates
        ],
    }


def _candidate(gateway: Gateway, language: str, candidate: dict[str, Any]) -> dict[str, Any]:
    article = _article(gateway, language, candidate["article"])
    found = article.language if article else language
    return candidate | {
        "url": article_url(gateway.help_url, found, candidate["article"]),
        "short_answer": article.short_answer if article else None,
    }


def _article(gateway: Gateway, language: str, article_id: str) -> Article | None:
    """An article in the customer's language, or in another that it is written in."""
    articles = gateway.articles.current()
    others = (each for each in articles.values() if each.id == article_id)
    return articles.get((language, article_id)) or next(others, None)


def _purchases(gateway: Gateway, customer_id: str) -> list[dict[str, Any]]:
    with gateway.database.read() as session:
        bought = session.scalars(
            select(Purchase)
            .where(Purchase.customer_id == customer_id)
            .order_by(Purchase.purchased_at.desc())
            .limit(20)
        ).all()
    return [
        {
            "product": ", ".join(each.products),
            "order_id": each.order_id,
            "purchased_at": each.purchased_at.isoformat(),
        }
        for each in bought
    ]


@router.post("/conversations/{conversation_id}/claim")
async def claim(request: Request, conversation_id: str) -> dict[str, Any]:
    return await _act(request, conversation_id, queue.claim)


@router.post("/conversations/{conversation_id}/release")
async def release(request: Request, conversation_id: str) -> dict[str, Any]:
    return await _act(request, conversation_id, queue.release)


@router.post("/conversations/{conversation_id}/resolve")
async def resolve(request: Request, conversation_id: str) -> dict[str, Any]:
    return await _act(request, conversation_id, queue.resolve)


async def _act(
    request: Request, conversation_id: str, act: Callable[..., Conversation]
) -> dict[str, Any]:
    _own_page(request)
    agent = await _agent(request)
    gateway = gateway_of(request)
    after = await asyncio.to_thread(act, gateway.database, conversation_id, agent.id)
    log.info("agent", act=act.__name__, agent=agent.id, conversation=after.id)
    _tell(gateway, after.customer_id)
    return {"owner": after.owner}


@router.post("/conversations/{conversation_id}/judgement")
async def judgement(request: Request, conversation_id: str) -> dict[str, Any]:
    _own_page(request)
    agent = await _agent(request)
    body = await read_body(request, ArticleJudgement)
    await asyncio.to_thread(
        queue.judge,
        gateway_of(request).database,
        conversation_id,
        agent.id,
        body.article,
        body.right,
    )
    return {"article": body.article, "right": body.right}


@router.post("/conversations/{conversation_id}/reply")
async def reply(request: Request, conversation_id: str) -> dict[str, Any]:
    _own_page(request)
    agent = await _agent(request)
    gateway = gateway_of(request)
    body = await read_body(request, AgentReply)
    source = None
    if body.article is not None:
        source = await asyncio.to_thread(_source, gateway, conversation_id, body.article)
    message = await asyncio.to_thread(
        queue.reply,
        gateway.database,
        conversation_id,
        agent.id,
        body.client_message_id,
        body.text,
        source,
    )
    log.info("agent", act="reply", agent=agent.id, conversation=conversation_id, message=message.id)
    _tell(gateway, message.customer_id)
    return {"seq": message.seq}


def _tell(gateway: Gateway, customer_id: str) -> None:
    """Let the customer's pages, and whoever sends on other channels, know of something new."""
    gateway.nudges.send(TIMELINE, customer_id)
    gateway.nudges.send(TURNS, DELIVERIES)


def _source(gateway: Gateway, conversation_id: str, article_id: str) -> Source:
    found, *_ = queue.transcript(gateway.database, conversation_id)
    article = _article(gateway, found.language, article_id)
    if article is None:
        raise NotFound("There is no such article any more. Send the reply without it.")
    return Source(article.id, article.language, article.title)
