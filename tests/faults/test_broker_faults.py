"""The broker loses messages, is wiped, is out of reach: what they stood for is in PostgreSQL and gets done."""

import signal
import time
from itertools import cycle, islice

import pytest
from django.db.models import Q

from alphapulse_site.celery import CANARY, QUEUES, SCHEDULE, app
from alphapulse_site.models import Heartbeat, ParkedTask
from signals.models import RejectedSignal
from tests.faults.brokers import ValkeyBroker
from tests.faults.due import due_shadows
from tests.faults.proxy import Proxy
from tests.faults.workers import BEAT_SENDS, Workers, sender
from tests.ingestion.streams import wait_until

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.timeout(360),
    pytest.mark.xdist_group("worker faults"),
]
# The pools of the Procfile.
POOLS = ("scan,tracking", "ingestion,maintenance", "learning")
MESSAGES, SHADOWS = 10_000, 10_000
SECONDS_ALLOWED = 120


def still_due() -> int:
    return RejectedSignal.objects.filter(Q(outcome="") | Q(mirror_outcome="")).count()


def test_a_message_lost_between_fetch_and_record_is_made_up_by_the_reconciler(
    crew: Workers, valkey: ValkeyBroker
) -> None:
    """Redis hands a message out before anybody has written down who took it; a worker killed in between loses it."""
    due_shadows(symbols=1, closes=1)
    with Proxy(("127.0.0.1", valkey.port)) as line:
        victim = crew.worker(valkey.environment(line.port))
        line.slow(up=2.0)
        crew.send("signals.track_shadows", queue="tracking")
        wait_until(lambda: valkey.queued() == 0, seconds=120)
        assert valkey.taken() == 0
        crew.kill(victim)
    assert (valkey.queued(), valkey.taken(), still_due()) == (0, 0, 1)

    crew.worker()
    crew.send("alphapulse_site.reconcile")
    wait_until(lambda: not still_due(), seconds=120)


def test_ticks_of_a_beat_without_a_broker_are_lost_and_the_next_ones_do_their_work(
    crew: Workers, valkey: ValkeyBroker
) -> None:
    due_shadows(symbols=1, closes=1)
    with Proxy(("127.0.0.1", valkey.port)) as line:
        beat = crew.beat(valkey.environment(line.port))
        wait_until(lambda: valkey.queued() > len(SCHEDULE), seconds=120)
        line.cut()
        crew.wait_for_line(beat, "Message Error")
        valkey.wipe()
        assert valkey.queued() == 0
        line.heal()
        wait_until(lambda: valkey.queued() > len(SCHEDULE), seconds=120)
        crew.worker()
        wait_until(lambda: not still_due(), seconds=120)


def queue_ticks(valkey: ValkeyBroker, count: int) -> None:
    """The ticks of many hours, as they pile up while workers are away."""
    ticks = [(task, ()) for task, _, _ in SCHEDULE.values()] + [(CANARY, (queue,)) for queue in QUEUES]
    with sender(valkey) as ours, ours.producer_pool.acquire() as producer:
        for task, args in islice(cycle(ticks), count):
            queue = args[0] if args else app.amqp.router.route({}, task)["queue"].name
            ours.send_task(task, args=args, queue=queue, producer=producer)


def test_ten_thousand_queued_tasks_are_wiped_and_all_their_work_is_done_within_two_minutes(
    crew: Workers, valkey: ValkeyBroker
) -> None:
    """Ten thousand shadows wait for their outcome, and their next tick comes too late.

    Beat keeps its minutes, workers are those of the Procfile: the reconciler sends for what follows the shadows, and a
    close that is due follows them as well.
    """
    assert due_shadows(symbols=50, closes=SHADOWS // 50) == SHADOWS
    workers = [crew.worker(queues=queues, wait=False) for queues in POOLS]
    beat = crew.beat(app="tests.faults.minutely_beat")
    crew.wait_for_line(beat, BEAT_SENDS)
    for worker in workers:
        crew.wait_for_line(worker, "ready.")
        crew.signal(worker, signal.SIGSTOP)
    queue_ticks(valkey, MESSAGES)
    # Each frozen worker has asked for a message and got it.
    assert valkey.queued() >= MESSAGES - len(POOLS)
    valkey.wipe()
    began = time.monotonic()
    for worker in workers:
        crew.signal(worker, signal.SIGCONT)
    wait_until(lambda: not still_due() and _all_canaries(), seconds=240)
    seconds = time.monotonic() - began

    print(f"wiped: {MESSAGES} messages; {SHADOWS} shadows and {len(QUEUES)} canaries done after {seconds:.1f} s")
    assert seconds < SECONDS_ALLOWED
    assert not ParkedTask.objects.filter(name__startswith="signals.").exists()


def _all_canaries() -> bool:
    return Heartbeat.objects.filter(name__startswith="canary:").count() == len(QUEUES)
