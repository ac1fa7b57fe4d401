"""What customers call the products: `products.yml` in the folder of articles.

clara:                       # the id, as in the articles' `products`
  en: [air purifier, purifier]
  th: [เครื่องฟอกอากาศ, เครื่องฟอก]

A message that names a product is not answered with an article about another one. The id is a name
too. Without the file the ids are all that is known.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import yaml

from bot.knowledge.articles.articles import Problem, decoded, not_yaml, read_file
from bot.knowledge.articles.front_matter import Mistake, refuse_bombs

FILE = "products.yml"
Names = Mapping[str, str]
"""What a product is called → its id."""
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_LANGUAGE = re.compile(r"[a-z]{2,3}")
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
    text = decoded(path, content)
    if isinstance(text, Problem):
        return text
    try:
        refuse_bombs(text)
        tree = yaml.compose(text, yaml.CBaseLoader)
        return {} if tree is None else _names(tree)  # None: an empty file
    except Mistake as mistake:
        return not_yaml(path, mistake)
    except yaml.YAMLError as error:
        problem = not_yaml(path, error)
        return replace(problem, message=f"{problem.message}; {_HOW}")


def _names(tree: yaml.Node) -> Names:
    """
    Raises:
        Mistake: the first one.
    """
    names: dict[str, str] = {}
    products = dict(_pairs(tree, _ID, "no id; write it as the articles do"))
    for product, languages in products.items():
        for _, listed in _pairs(languages, _LANGUAGE, "no language; write 'en' or another code"):
            if not isinstance(listed, yaml.SequenceNode):
                raise Mistake(_line(listed), f"no list; {_HOW}")
            for each in listed.value:
                value = each.value if isinstance(each, yaml.ScalarNode) else ""
                name = " ".join(unicodedata.normalize("NFKC", value).casefold().split())
                if not 1 < len(name) <= _MAX_NAME_LENGTH:
                    message = f"no name; write 2 to {_MAX_NAME_LENGTH} characters"
                    raise Mistake(_line(each), message)
                if names.setdefault(name, product) != product:
                    message = f"'{name}' is also a name of '{names[name]}'; of one, remove it"
                    raise Mistake(_line(each), message)
                if name != product and name in products:
                    raise Mistake(_line(each), f"'{name}' is the id of another product; remove it")
    return names


def _pairs(node: yaml.Node, form: re.Pattern[str], wrong: str) -> Iterator[tuple[str, yaml.Node]]:
    """Keys, each written once and in a form, with what stands below them."""
    if not isinstance(node, yaml.MappingNode):
        raise Mistake(_line(node), _HOW)
    seen: set[str] = set()
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise Mistake(_line(key), _HOW)
        if not form.fullmatch(key.value):
            raise Mistake(_line(key), f"'{key.value}' is {wrong}")
        if key.value in seen:
            raise Mistake(_line(key), f"'{key.value}' stands here twice; put both lists together")
        seen.add(key.value)
        yield key.value, value


def _line(node: yaml.Node) -> int:
    line: int = node.start_mark.line + 1
    return line
