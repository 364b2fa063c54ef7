"""Request weight, pleas to wait and bans of the exchange simulator, first by a clock of ours, then over the wire."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import requests

from ingestion.exchange.limits import BANS, Limits
from tests.ingestion.exchanges import RunningExchange, running_exchange
from tests.ingestion.market import made_candles

HOME, OTHER = "10.0.0.1", "10.0.0.2"
DAY = 24 * 3600


@dataclass
class Wall:
    """The wall clock, which stands still until it is moved; it begins 20 seconds into a minute."""

    now: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def limits(wall: Wall) -> Limits:
    return Limits(100, tolerated=2, wall=wall)


def test_weight_is_counted_by_address_and_minute(limits: Limits, wall: Wall) -> None:
    assert [limits.charge(HOME, 40).used, limits.charge(HOME, 40).used, limits.charge(OTHER, 5).used] == [40, 80, 5]

    wall.now += 40

    assert limits.charge(HOME, 7).used == 7


def test_the_limit_itself_may_be_used_and_not_a_weight_more(limits: Limits) -> None:
    assert limits.charge(HOME, 100).status == 200
    assert limits.charge(HOME, 1).status == 429


def test_a_plea_to_wait_lasts_until_the_minute_is_over(limits: Limits, wall: Wall) -> None:
    refused = limits.charge(HOME, 101)
    wall.now += refused.retry_after

    assert (refused.status, refused.retry_after, refused.defied) == (429, 40, 0)
    assert limits.charge(HOME, 1).status == 200


def test_who_does_not_wait_is_banned_after_what_may_have_been_under_way(limits: Limits) -> None:
    limits.charge(HOME, 101)
    verdicts = [limits.charge(HOME, 1) for _ in range(4)]

    assert [(each.status, each.defied) for each in verdicts] == [(429, 429), (429, 429), (418, 429), (418, 418)]
    assert limits.charge(OTHER, 1).status == 200


def test_a_ban_says_when_it_ends_and_is_not_made_longer_by_asking(limits: Limits, wall: Wall) -> None:
    begun = limits.ban(HOME)
    wall.now += 60
    asked = limits.charge(HOME, 1)
    wall.now += asked.retry_after

    assert (begun.retry_after, asked.retry_after) == (120, 60)
    assert begun.banned_until_ms == asked.banned_until_ms == round(wall.now * 1000)
    assert limits.charge(HOME, 1).status == 200


def test_bans_grow_from_two_minutes_to_three_days(limits: Limits, wall: Wall) -> None:
    lengths = []
    for _ in range(len(BANS) + 2):
        ban = limits.ban(HOME)
        lengths.append(ban.retry_after)
        wall.now += ban.retry_after

    assert lengths[0] == 120
    assert lengths == sorted(lengths)
    assert lengths[-3:] == [3 * DAY] * 3


def test_nothing_is_counted_while_a_ban_is_in_force(limits: Limits, wall: Wall) -> None:
    limits.ban(HOME, 10)
    limits.charge(HOME, 90)
    wall.now += 10

    assert limits.charge(HOME, 50).used == 50


def test_a_plea_for_no_reason_of_weight_has_to_be_heeded_too(limits: Limits, wall: Wall) -> None:
    assert limits.tell(HOME, 90).retry_after == 90

    wall.now += 89

    assert limits.charge(HOME, 1).defied == 429
    wall.now += 1
    assert limits.charge(HOME, 1).status == 200


# --- over the wire ----------------------------------------------------------------------------------------------------


@pytest.fixture
def exchange(wall: Wall) -> Iterator[RunningExchange]:
    with running_exchange(
        {"BTCUSDT": made_candles(count=30)}, frozen=True, limits=Limits(50, tolerated=1, wall=wall)
    ) as running:
        yield running


def klines(exchange: RunningExchange) -> requests.Response:
    return requests.get(f"{exchange.rest_url}/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=1", timeout=5)


def test_every_answer_tells_the_weight_used(exchange: RunningExchange) -> None:
    told = [klines(exchange).headers for _ in range(2)]

    assert [each["X-MBX-USED-WEIGHT-1M"] for each in told] == ["2", "4"]
    assert [each["X-MBX-USED-WEIGHT"] for each in told] == ["2", "4"]


def test_a_refused_request_tells_the_weight_too(exchange: RunningExchange) -> None:
    refused = requests.get(f"{exchange.rest_url}/api/v3/klines?symbol=NONE&interval=1m", timeout=5)

    assert (refused.status_code, refused.headers["X-MBX-USED-WEIGHT-1M"]) == (400, "2")


def test_too_much_weight_is_answered_as_binance_does(exchange: RunningExchange) -> None:
    answers = [klines(exchange) for _ in range(26)]

    assert {each.status_code for each in answers[:25]} == {200}
    assert answers[25].status_code == 429
    assert answers[25].headers["Retry-After"] == "40"
    assert answers[25].json() == {
        "code": -1003,
        "msg": "Too much request weight used; current limit is 50 request weight per 1 MINUTE."
        " Please use WebSocket Streams for live updates to avoid polling the API.",
    }


def test_ignoring_it_ends_in_a_ban_and_the_log_knows(exchange: RunningExchange, wall: Wall) -> None:
    answers = [klines(exchange) for _ in range(29)]
    banned = answers[-1]

    assert [each.status_code for each in answers[-4:]] == [429, 429, 418, 418]
    assert banned.headers["Retry-After"] == "120"
    assert banned.json() == {
        "code": -1003,
        "msg": f"Way too much request weight used; IP banned until {round(wall.now * 1000) + 120_000}."
        " Please use WebSocket Streams for live updates to avoid bans.",
    }
    log = exchange.exchange.log
    assert (len(log.lines()), len(log.defied(429)), len(log.defied(418))) == (29, 2, 1)


def test_the_limit_in_force_is_the_one_that_exchange_info_tells(exchange: RunningExchange) -> None:
    told = requests.get(f"{exchange.rest_url}/api/v3/exchangeInfo", timeout=5).json()["rateLimits"][0]

    assert told == {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 50}


@pytest.mark.parametrize(
    ("path", "weight"),
    [
        ("ping", 1),
        ("time", 1),
        ("exchangeInfo", 20),
        ("klines?symbol=BTCUSDT&interval=1m&limit=1000", 2),
        ("uiKlines?symbol=BTCUSDT&interval=1m", 2),
        ("ticker/price?symbol=BTCUSDT", 2),
        ("ticker/price?symbols=[%22BTCUSDT%22]", 4),
        ("ticker/price", 4),
        ("ticker/24hr?symbol=BTCUSDT", 2),
        ("ticker/24hr?symbols=[%22BTCUSDT%22]", 2),
        ("ticker/24hr?symbols=[" + ",".join(["%22B%22"] * 21) + "]", 40),
        ("ticker/24hr?symbols=[" + ",".join(["%22B%22"] * 101) + "]", 80),
        ("ticker/24hr", 80),
        ("nothing", 0),
    ],
)
def test_each_request_weighs_what_is_documented(exchange: RunningExchange, path: str, weight: int) -> None:
    requests.get(f"{exchange.rest_url}/api/v3/{path}", timeout=5)

    assert [line.weight for line in exchange.exchange.log.lines()] == [weight]
