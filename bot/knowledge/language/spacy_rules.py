"""What Usher uses of spaCy, imported without PyTorch.

spaCy's rules need no PyTorch, but it is imported wherever it is installed: 200 MB and two seconds
in every process and command.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def _without(name: str) -> Iterator[None]:
    """As if a package were not installed, unless it is imported already."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]  # Python's own way to say so
    try:
        yield
    finally:
        del sys.modules[name]


with _without("torch"):
    from spacy import blank
    from spacy.language import Language
    from spacy.matcher import Matcher
    from spacy.tokens import Doc
    from spacy.util import get_lang_class

__all__ = ["Doc", "Language", "Matcher", "blank", "get_lang_class"]
