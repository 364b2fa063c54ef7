"""Which market a start follows: Binance if it answers, else the recording, and from then on the same one."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from alphapulse_site.clock import advance_market_clock, is_recording, market_now
from alphapulse_site.markets import AUTO, BINANCE, RECORDING, Wanted, bring_history, choose_market
from alphapulse_site.places import Places
from alphapulse_site.preflight import RefusalError

pytestmark = pytest.mark.django_db

NOON = datetime(2021, 7, 1, 12, tzinfo=UTC)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


@pytest.fixture(autouse=True)
def _nobody_answers(settings: Settings) -> None:
    settings.ALPHAPULSE_SPOT_URL = "http://127.0.0.1:9"


def wanted(market: str, *, recording: str = "summer") -> Wanted:
    return Wanted(market, 60.0, recording, 8900)


def test_out_of_reach_of_binance_the_recording_is_followed(places: Places) -> None:
    assert choose_market(wanted(AUTO), places) == "recording summer at 60x, at its start"
    assert is_recording()
    assert places.exchange_url("ws", otherwise="wss://elsewhere") == "ws://127.0.0.1:8900"


def test_binance_as_asked_for_has_no_local_exchange(places: Places) -> None:
    choose_market(wanted(RECORDING), places)

    assert choose_market(wanted(BINANCE), places) == "Binance, at its start"
    assert not is_recording()
    assert places.exchange_url("wss", otherwise="wss://elsewhere") == "wss://elsewhere"


@pytest.mark.parametrize("first", [BINANCE, RECORDING])
def test_a_later_start_follows_the_same_market_unasked(places: Places, first: str) -> None:
    choose_market(wanted(first), places)
    advance_market_clock(NOON)

    assert "at 2021-07-01 12:00 UTC" in choose_market(wanted(AUTO), places)
    assert is_recording() == (first == RECORDING)


@pytest.mark.parametrize(
    ("first", "then", "reason"),
    [
        (wanted(RECORDING), wanted(BINANCE), "follows the recording 'summer', not Binance"),
        (wanted(BINANCE), wanted(RECORDING), "follows Binance, not the recording 'summer'"),
        (wanted(RECORDING), wanted(RECORDING, recording="winter"), "'summer', not the recording 'winter'"),
    ],
)
def test_data_of_one_market_never_goes_on_with_another(
    places: Places, first: Wanted, then: Wanted, reason: str
) -> None:
    choose_market(first, places)
    advance_market_clock(NOON)

    with pytest.raises(RefusalError, match=reason):
        choose_market(then, places)

    assert is_recording() == (first.market == RECORDING)
    assert market_now() == NOON


def test_without_an_answer_the_history_of_binance_is_refused_with_advice(places: Places) -> None:
    choose_market(wanted(BINANCE), places)

    with pytest.raises(RefusalError, match=r"does not answer.*Try again later, or start with --market recording"):
        bring_history(None)

    assert market_now() is None
