"""The bounded queue from the readers in the event loop to the one thread that writes. Full, it makes readers wait."""

import asyncio
import time
from collections import deque
from threading import Condition

from ingestion.kline import Kline
from ingestion.refused import Refused

Item = Kline | Refused
# What comes within this time of the first item goes into the same transaction: a minute closes for all at once.
SECONDS_TO_GATHER = 0.05


class Inbox:
    """Items in the order they came, at most about `most`; to be made inside the event loop of the readers."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._items: deque[Item] = deque()
        self._filled = Condition()
        self._room = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.is_closed = False

    def __len__(self) -> int:
        return len(self._items)

    async def put(self, item: Item) -> None:
        """Add the item; while there is no room, wait. A reader that waits does not read, so TCP slows the sender."""
        while len(self._items) >= self._most:
            # Only the loop's own thread sets and clears this, so a taker's signal cannot fall in between.
            self._room.clear()
            await self._room.wait()
        with self._filled:
            self._items.append(item)
            self._filled.notify()

    def take(self, most: int, *, seconds: float) -> list[Item]:
        """Wait that long for a first item, then a moment for its company; empty if none came. For one other thread."""
        with self._filled:
            self._filled.wait_for(lambda: self._items or self.is_closed, timeout=seconds)
        if 0 < len(self._items) < min(most, self._most) and not self.is_closed:
            time.sleep(SECONDS_TO_GATHER)
        with self._filled:
            taken = [self._items.popleft() for _ in range(min(most, len(self._items)))]
        if taken and not self.is_closed:
            self._loop.call_soon_threadsafe(self._room.set)
        return taken

    def close(self) -> None:
        """Nothing more will come; what is there may still be taken, without waiting."""
        with self._filled:
            self.is_closed = True
            self._filled.notify()
