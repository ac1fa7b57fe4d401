"""The channels that are switched on; the one place that knows them all."""

from bot.channels.base import Channel
from bot.channels.webhook.sending import WebhookChannel
from bot.settings import Settings


def channels(settings: Settings) -> list[Channel]:
    """Those that messages are sent to; the web chat is not among them: pages fetch theirs."""
    found: list[Channel] = []
    if settings.webhook_channel_url:
        found.append(WebhookChannel(settings))
    return found
