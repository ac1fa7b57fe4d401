"""A message → what it most probably is, with a probability: the one owner of both in Usher.

It is a question that an article answers, an act that a customer does by saying it, or none of
these. An answer to something that the assistant has asked comes first, then what the message says
by itself, then what it may say about the question before.
"""

from collections.abc import Sequence

from bot.knowledge.embedding.embedder import Embedder
from bot.knowledge.search.index import Index
from bot.knowledge.search.looking import Look
from bot.messages import NO_CONTEXT, Context, Match, Outcome


class Matcher:
    """Matches messages against an index; the index can be swapped between two messages."""

    def __init__(
        self, embedder: Embedder, index: Index, precision: float, offer_precision: float
    ) -> None:
        """
        Args:
            precision: how often an answer that is given must be right, 0.5–1.
            offer_precision: how probable it must be that the right title is among those offered,
                0–1.
        """
        self.embedder = embedder
        self.index = index
        self._precision = precision
        self._offer_precision = offer_precision

    def match(
        self,
        text: str,
        language: str,
        products: Sequence[str] = (),
        context: Context = NO_CONTEXT,
    ) -> Match:
        """What a message most probably is; of several questions the first."""
        return self.match_all(text, language, products, context)[0]

    def match_all(
        self,
        text: str,
        language: str,
        products: Sequence[str] = (),
        context: Context = NO_CONTEXT,
    ) -> Sequence[Match]:
        """What a message most probably is: one thing, or several questions in their order.

        Args:
            language: what the conversation is in, a hint.
            products: what the customer has bought.
            context: what was said before.
        """
        look = Look(self.index, text, language, products, self._precision, self._offer_precision)
        if replied := look.as_reply(context):
            return [replied]
        if several := look.several():
            return several
        match = look.match()
        is_first = match.outcome is Outcome.ACT and match.act in self.index.acts.first
        if match.outcome is not Outcome.ANSWER and not is_first and context.topic:
            match = look.about(context) or match
        return [look.declined(match) or match]
