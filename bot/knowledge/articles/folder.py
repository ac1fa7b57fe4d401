"""A folder of articles as it is now, with the last good version of what is broken.

The rules, for the help pages and the knowledge process alike:

- Of a file that cannot be served the version before is, until it is mended or removed.
- A removed file is no longer served. When the whole folder is gone, its articles stay.
- Of two files with the same id the first by path is served.
- The names of products are kept like an article.
"""

import stat
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bot.knowledge.articles.articles import (
    Article,
    Problem,
    article_files,
    id_is_taken,
    parse_article,
    read_file,
)
from bot.knowledge.articles.last_good import LastGood
from bot.knowledge.articles.products import FILE, Names, parse_products

Key = tuple[str, str]
"""Language and id of an article."""

_LOOK_AGAIN_SECONDS = 0.5
_SHARE_OF_LOOKING = 0.2
"""Of a busy process's time; a look at ten thousand files takes a quarter of a second."""
_YOUNG_SECONDS = 2.0
"""Clocks of file systems are coarse: a file that was read this soon after its last change may
have changed once more without looking different."""


@dataclass(frozen=True)
class _Reading:
    """What a file said when it was read."""

    signature: tuple[int, ...]
    young: bool
    found: Article | Problem


class ArticleFolder:
    """The articles of a folder; a file is read again only when it has changed.

    Safe to use from several threads.
    """

    def __init__(self, folder: Path, data_dir: Path | None = None) -> None:
        """
        Args:
            data_dir: where last good versions are kept beyond this process's life; None: nowhere.
        """
        self._folder = folder
        self._last_good = LastGood(data_dir, folder) if data_dir else None
        self._lock = threading.Lock()
        self._readings: dict[Path, _Reading] = {}
        self._served: dict[Path, Article] = {}
        self._by_key: dict[Key, Article] = {}
        self._problems: tuple[Problem, ...] = ()
        self._products: Names | None = None
        self._looked_at: float | None = None
        self._pause = _LOOK_AGAIN_SECONDS

    @property
    def articles(self) -> list[Article]:
        """What is served, in the order of the files' paths, as of the last refresh."""
        return list(self._by_key.values())

    @property
    def products(self) -> Names:
        """What customers call the products, as of the last refresh."""
        return self._products or {}

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Every file that is not served as it is, as of the last refresh."""
        return self._problems

    def current(self) -> Mapping[Key, Article]:
        """Articles by language and id, at most half a second old, or a little more of many."""
        if self._is_old():
            with self._lock:
                if self._is_old():  # nobody else has looked while we waited
                    self._refresh()
        return self._by_key

    def refresh(self) -> bool:
        """Read what has changed on disk.

        Returns:
            Whether there is now something else to serve.
        """
        with self._lock:
            before = self._by_key
            self._refresh()
            return self._by_key != before

    def _is_old(self) -> bool:
        return self._looked_at is None or time.monotonic() - self._looked_at > self._pause

    def _refresh(self) -> None:
        begun = time.monotonic()
        kept: Mapping[Path, bytes] = {}
        if self._looked_at is None and self._last_good:
            kept = self._last_good.contents()
        if self._folder.is_dir():
            fresh = self._read_changed()
            known = {*self._served, *kept}
            self._resolve(kept)
            fresh |= self._read_products(kept)
            if self._last_good:
                good = {path: fresh[path] for path in fresh if self._is_served_as_read(path)}
                self._last_good.keep(good, known - {*self._readings, self._folder / FILE})
        else:
            for path in kept:
                if last := self._last_version(path, kept):
                    self._served[path] = last
            message = "there is no such folder; bring it back, or set USHER_KNOWLEDGE_BASE"
            if self._served:
                message += " (until then its last articles are served)"
            self._problems = (Problem(self._folder, 1, message),)
        self._by_key = {(each.language, each.id): each for each in self._served.values()}
        self._looked_at = time.monotonic()
        self._pause = max(_LOOK_AGAIN_SECONDS, (self._looked_at - begun) / _SHARE_OF_LOOKING)

    def _read_products(self, kept: Mapping[Path, bytes]) -> dict[Path, bytes]:
        """Bring the names up to date; the content of their file if it is good and new."""
        path = self._folder / FILE
        if not path.exists():
            self._products = {}
            return {}
        content = read_file(path)
        found = content if isinstance(content, Problem) else parse_products(path, content)
        if not isinstance(found, Problem):
            changed, self._products = found != self._products, found
            return {path: content} if changed and isinstance(content, bytes) else {}
        if self._products is None and path in kept:
            last = parse_products(path, kept[path])
            self._products = None if isinstance(last, Problem) else last
        if self._products:
            message = f"{found.message} (until then its last good version is served)"
            found = replace(found, message=message)
        self._problems += (found,)
        return {}

    def _last_version(self, path: Path, kept: Mapping[Path, bytes]) -> Article | None:
        """What was served of a file before, in this process's life or in the one before."""
        if path in self._served or path not in kept:
            return self._served.get(path)
        found = parse_article(path, kept[path])
        return found if isinstance(found, Article) else None

    def _read_changed(self) -> dict[Path, bytes]:
        """Bring the readings up to date; the contents of the files that were read for it."""
        readings: dict[Path, _Reading] = {}
        fresh: dict[Path, bytes] = {}
        for path in article_files(self._folder):
            signature, changed_at = _signature(path)
            known = self._readings.get(path)
            if known and known.signature == signature and not known.young:
                readings[path] = known
                continue
            content = read_file(path)
            if isinstance(content, Problem):
                found: Article | Problem = content
            else:
                found = parse_article(path, content)
                fresh[path] = content
            if known and found == known.found:
                found = known.found  # the same object, so that comparing all of them is quick
            young = time.time() - changed_at < _YOUNG_SECONDS
            readings[path] = _Reading(signature, young, found)
        self._readings = readings
        return fresh

    def _resolve(self, kept: Mapping[Path, bytes]) -> None:
        """Decide which version of which file is served."""
        served: dict[Path, Article] = {}
        owners: dict[Key, Path] = {}
        problems: dict[Path, Problem] = {}
        for path, reading in self._readings.items():
            article = reading.found
            if isinstance(article, Problem):
                problems[path] = article
            elif owner := owners.get((article.language, article.id)):
                problems[path] = id_is_taken(path, article, by=owner)
            else:
                owners[article.language, article.id] = path
                served[path] = article
        for path, problem in problems.items():
            last = self._last_version(path, kept)
            # An article that was moved to another file needs no older version from this one.
            if last is not None and (last.language, last.id) not in owners:
                owners[last.language, last.id] = path
                served[path] = last
                message = f"{problem.message} (until then its last good version is served)"
                problems[path] = replace(problem, message=message)
        self._served = {path: served[path] for path in self._readings if path in served}
        self._problems = tuple(problems.values())

    def _is_served_as_read(self, path: Path) -> bool:
        return path not in self._readings or self._served.get(path) is self._readings[path].found


def _signature(path: Path) -> tuple[tuple[int, ...], float]:
    """What changes when a file does, and when it last did."""
    try:
        seen = path.stat()
    except OSError:
        return (), time.time()
    mode = stat.S_IFMT(seen.st_mode)
    changed = max(seen.st_mtime_ns, seen.st_ctime_ns)
    return (mode, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns), changed / 1e9
