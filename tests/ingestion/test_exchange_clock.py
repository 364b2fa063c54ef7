"""The clock of the exchange simulator, and the way of a price through the minute that is running."""

import asyncio
import math
from dataclasses import dataclass

import pytest

from ingestion.exchange.clock import ExchangeClock
from ingestion.exchange.running import Row, as_it_stands
from tests.ingestion.market import MARCH_24

RISING = Row(MARCH_24, MARCH_24 + 59_999, 100.0, 106.0, 97.0, 103.0, 60.0, 6000.0, 7.0, 30.0, 3000.0)
FALLING = RISING._replace(close=98.0)


@dataclass
class Wall:
    """Seconds of the wall, which stand still until they are moved."""

    seconds: float = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def wall() -> Wall:
    return Wall()


def test_the_clock_runs_so_many_times_as_fast_as_the_wall(wall: Wall) -> None:
    clock = ExchangeClock(MARCH_24, 60, monotonic=wall)
    wall.seconds += 1.5

    assert clock.now_ms() == MARCH_24 + 90_000
    assert clock.wall_seconds_until(MARCH_24 + 120_000) == pytest.approx(0.5)
    assert clock.wall_seconds_until(MARCH_24) == 0


def test_a_change_of_speed_does_not_move_the_clock(wall: Wall) -> None:
    clock = ExchangeClock(MARCH_24, 60, monotonic=wall)
    wall.seconds += 1
    clock.set_speed(1)

    assert clock.now_ms() == MARCH_24 + 60_000
    wall.seconds += 1
    assert clock.now_ms() == MARCH_24 + 61_000


def test_a_frozen_clock_moves_only_when_it_is_set(wall: Wall) -> None:
    clock = ExchangeClock(MARCH_24, 60, monotonic=wall)
    clock.freeze()
    wall.seconds += 10

    assert clock.now_ms() == MARCH_24
    assert math.isinf(clock.wall_seconds_until(MARCH_24 + 1))
    clock.set(MARCH_24 + 5)
    clock.set_speed(2)
    wall.seconds += 10
    assert clock.now_ms() == MARCH_24 + 5
    clock.thaw()
    wall.seconds += 10
    assert clock.now_ms() == MARCH_24 + 20_005


def test_the_clock_stands_still_where_the_candles_end(wall: Wall) -> None:
    clock = ExchangeClock(MARCH_24, 60, end_ms=MARCH_24 + 60_000, monotonic=wall)
    wall.seconds += 100

    assert clock.now_ms() == MARCH_24 + 60_000
    assert math.isinf(clock.wall_seconds_until(MARCH_24 + 60_001))


def test_whoever_sleeps_is_woken_when_the_clock_is_set(wall: Wall) -> None:
    clock = ExchangeClock(MARCH_24, 1, monotonic=wall)

    async def sleep() -> int:
        sleeper = asyncio.ensure_future(clock.sleep_until(MARCH_24 + 3_600_000))
        await asyncio.sleep(0)
        clock.set(MARCH_24 + 3_600_000)
        await asyncio.wait_for(sleeper, timeout=2)
        return clock.now_ms()

    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        assert runner.run(sleep()) == MARCH_24 + 3_600_000


@pytest.mark.parametrize(("final", "first_extreme", "second_extreme"), [(RISING, 97.0, 106.0), (FALLING, 106.0, 97.0)])
def test_the_price_goes_to_the_far_extreme_first(final: Row, first_extreme: float, second_extreme: float) -> None:
    assert as_it_stands(final, MARCH_24 + 20_000, 0.01).close == first_extreme
    assert as_it_stands(final, MARCH_24 + 40_000, 0.01).close == second_extreme


def test_half_a_minute_has_traded_half_and_no_part_of_a_trade() -> None:
    half = as_it_stands(RISING, MARCH_24 + 30_000, 0.01)

    assert (half.volume, half.quote_volume, half.trades) == (30.0, 3000.0, 3.0)


def test_before_it_begins_and_after_its_end_a_candle_does_not_change() -> None:
    assert as_it_stands(RISING, MARCH_24, 0.01)[2:7] == (100.0, 100.0, 100.0, 100.0, 0.0)
    assert as_it_stands(RISING, MARCH_24 + 60_000, 0.01) == RISING
    assert as_it_stands(RISING, MARCH_24 + 10**9, 0.01) == RISING


def test_prices_on_the_way_keep_to_the_steps_of_the_market() -> None:
    closes = [as_it_stands(RISING, MARCH_24 + ms, 0.5).close for ms in range(0, 60_000, 700)]

    assert all(close % 0.5 == 0 for close in closes)
    assert len(set(closes)) > 10
