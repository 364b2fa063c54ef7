"""What waits in a queue of this test worker's broker."""

from collections.abc import Iterator
from queue import Empty

from alphapulse_site.celery import app


def waiting(name: str = "maintenance") -> Iterator[tuple[str, str]]:
    """Task and id of each message in the queue, which is empty then."""
    with app.connection_for_read() as connection, connection.SimpleQueue(app.amqp.queues[name]) as queue:
        while True:
            try:
                headers = queue.get_nowait().headers
            except Empty:
                return
            yield headers["task"], headers["id"]
