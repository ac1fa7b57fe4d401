"""The sentences of a message: greetings and stories stand around what is asked."""

import re
from collections.abc import Iterator

_END = re.compile(r"[.!?…؟۔。！？]+(?=\s|$)|\n+")
_PAUSE = re.compile(r"[,;:،؛]\s|\s")
_SHORTEST = 8
_LONGEST = 160
"""Characters; longer ones are broken at a pause."""


def sentences(text: str) -> Iterator[str]:
    """Parts of a message in their order; a line is one too. Very short ones join a neighbour."""
    begin = 0
    ends = [found.end() for found in _END.finditer(text)]
    while ends and len(text[ends[-1] :].strip()) < _SHORTEST:
        ends.pop()
    for end in (*ends, len(text)):
        while end - begin > _LONGEST:
            pauses = [
                found.end()
                for found in _PAUSE.finditer(text, begin + _LONGEST // 2, begin + _LONGEST)
            ]
            cut = pauses[-1] if pauses else begin + _LONGEST
            yield text[begin:cut].strip()
            begin = cut
        if len(text[begin:end].strip()) >= _SHORTEST:
            yield text[begin:end].strip()
            begin = end
    if text[begin:].strip():
        yield text[begin:].strip()


def both_ends(text: str, most: int) -> str:
    """A text, or of a longer one the beginning and the end."""
    return text if len(text) <= most else f"{text[: most // 2]} {text[-most // 2 :]}"
