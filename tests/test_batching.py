"""Many small writes as one: everybody gets their own result, and one spoils no other's."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from bot.conversations.batching import MAX_BATCH, Batcher
from bot.errors import Conflict, InvalidInput, Unavailable


class Writer:
    """Doubles numbers; holds the first batch until `go` is set."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.started, self.go = threading.Event(), threading.Event()

    def __call__(self, items: Sequence[int]) -> Sequence[int | Exception]:
        self.batches.append(list(items))
        self.started.set()
        assert self.go.wait(10)
        if 13 in items:
            raise InvalidInput("13 spoils the whole transaction")
        if 14 in items:
            raise Unavailable("the database does not answer")
        return [Conflict("taken") if item == 7 else 2 * item for item in items]


def results_of(writer: Writer, items: Sequence[int]) -> list[int | BaseException]:
    """What everybody gets when the first item is being written while the others come."""

    async def run() -> list[int | BaseException]:
        batcher = Batcher(writer)
        first = asyncio.create_task(batcher(items[0]))
        await asyncio.to_thread(writer.started.wait, 10)
        others = [asyncio.create_task(batcher(item)) for item in items[1:]]
        await asyncio.sleep(0)
        writer.go.set()
        return list(await asyncio.gather(first, *others, return_exceptions=True))

    return asyncio.run(run())


def test_what_comes_during_a_batch_is_the_next_one() -> None:
    writer = Writer()
    assert results_of(writer, [1, 2, 3, 4]) == [2, 4, 6, 8]
    assert writer.batches == [[1], [2, 3, 4]]


def test_a_batch_is_limited() -> None:
    writer = Writer()
    items = list(range(20, 20 + 2 * MAX_BATCH))
    assert results_of(writer, items) == [2 * item for item in items]
    assert [len(batch) for batch in writer.batches] == [1, MAX_BATCH, MAX_BATCH - 1]


def test_an_error_of_one_is_its_own() -> None:
    one, conflict, three = results_of(Writer(), [1, 7, 3])
    assert (one, three) == (2, 6)
    assert isinstance(conflict, Conflict)


def test_one_that_spoils_the_transaction_is_written_apart() -> None:
    writer = Writer()
    one, two, spoiler, three = results_of(writer, [1, 2, 13, 3])
    assert (one, two, three) == (2, 4, 6)
    assert isinstance(spoiler, InvalidInput)
    assert writer.batches == [[1], [2, 13, 3], [2], [13], [3]]


def test_without_a_database_everybody_hears_so_and_nothing_is_tried_again() -> None:
    writer = Writer()
    one, *others = results_of(writer, [1, 2, 14])
    assert one == 2
    assert all(isinstance(each, Unavailable) for each in others)
    assert len(writer.batches) == 2


def test_a_caller_who_has_gone_changes_nothing_for_the_others() -> None:
    writer = Writer()

    async def run() -> int:
        batcher = Batcher(writer)
        first = asyncio.create_task(batcher(1))
        await asyncio.to_thread(writer.started.wait, 10)
        gone, stays = asyncio.create_task(batcher(2)), asyncio.create_task(batcher(3))
        await asyncio.sleep(0)
        gone.cancel()
        writer.go.set()
        await first
        with pytest.raises(asyncio.CancelledError):
            await gone
        return await stays

    assert asyncio.run(run()) == 6
    assert writer.batches == [[1], [2, 3]], "what was asked for is written all the same"
