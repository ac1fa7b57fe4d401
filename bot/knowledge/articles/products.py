"""What customers call the products: `products.yml` in the folder of articles.

clara:                       # the id, as in the articles' `products`
  en: [air purifier, purifier]
  th: [เครื่องฟอกอากาศ, เครื่องฟอก]

A message that names a product is not answered with an article about another one. The id is a name
too. Without the file the ids are all that is known.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from bot.knowledge.articles.articles import Problem, read_file

FILE = "products.yml"
Names = Mapping[str, str]
"""What a product is called → its id."""
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_MAX_NAME_LENGTH = 60
_HOW = "write 'id:' and below it languages with lists of names, as in 'en: [air purifier]'"


def read_products(folder: Path) -> Names | Problem:
    """The names in a folder's file; none where there is no such file."""
    path = folder / FILE
    if not path.exists():
        return {}
    content = read_file(path)
    return content if isinstance(content, Problem) else parse_products(path, content)


def parse_products(path: Path, content: bytes) -> Names | Problem:
    """The names in a file, or the problem with it."""
    try:
        tree = yaml.compose(content.decode("utf-8-sig"), yaml.SafeLoader)
    except UnicodeDecodeError as error:
        return Problem(path, 1, f"not UTF-8 at byte {error.start}; save the file as UTF-8")
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or "it cannot be read"
        return Problem(path, mark.line + 1 if mark else 1, f"not YAML: {what}; {_HOW}")
    names: dict[str, str] = {}
    for found in _names(tree):
        if isinstance(found, _Mistake):
            return Problem(path, found.line, found.message)
        name, product, line = found
        if names.setdefault(name, product) != product:
            message = f"'{name}' is also a name of '{names[name]}'; of one of them, remove it"
            return Problem(path, line, message)
    return names


class _Mistake:
    def __init__(self, node: yaml.Node, message: str) -> None:
        self.line = node.start_mark.line + 1
        self.message = message


def _names(tree: Any) -> Iterator[tuple[str, str, int] | _Mistake]:
    """Name, product and line, as far as there is no mistake."""
    if tree is None:  # an empty file
        return
    for product, languages in _pairs(tree):
        if isinstance(product, _Mistake):
            yield product
            return
        if not _ID.fullmatch(product.value):
            yield _Mistake(product, f"'{product.value}' is no id; write it as the articles do")
            return
        for language, listed in _pairs(languages):
            if isinstance(language, _Mistake):
                yield language
                return
            if not isinstance(listed, yaml.SequenceNode):
                yield _Mistake(listed, f"no list; {_HOW}")
                return
            for each in listed.value:
                name = each.value if isinstance(each, yaml.ScalarNode) else ""
                name = " ".join(name.lower().split())
                if not 1 < len(name) <= _MAX_NAME_LENGTH:
                    most = f"2 to {_MAX_NAME_LENGTH} characters"
                    yield _Mistake(each, f"no name; write {most}, in quotes if it is a number")
                    return
                yield name, product.value, each.start_mark.line + 1


def _pairs(node: yaml.Node) -> Iterator[tuple[Any, yaml.Node]]:
    if not isinstance(node, yaml.MappingNode):
        yield _Mistake(node, _HOW), node
        return
    for key, value in node.value:
        plain = isinstance(key, yaml.ScalarNode)
        yield (key if plain else _Mistake(key, _HOW)), value
