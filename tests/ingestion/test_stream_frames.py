"""Every message of the exchange is one of a few things, and what is none of them is kept with a reason."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.refused import LONGEST_PAYLOAD, Refused
from ingestion.stream import frames
from ingestion.stream.frames import ClosedCandle, Reply, RunningCandle, Shutdown, read
from tests.ingestion.market import SHARED

RECORDED = SHARED / "data" / "binance_api"
MARCH_24 = 1_679_616_000_000
K: dict[str, Any] = {
    **{"t": MARCH_24, "T": MARCH_24 + 59_999, "s": "BTCUSDT", "i": "1m", "f": 1, "L": 42, "o": "100.50", "c": "100.00"},
    **{"h": "101.00", "l": "99.75", "v": "12.5", "n": 42, "x": True, "q": "1256.25", "V": "7.25", "Q": "728.5"},
    **{"B": "0"},
}
EVENT: dict[str, Any] = {"e": "kline", "E": MARCH_24 + 60_012, "s": "BTCUSDT", "k": K}
SYMBOLS = frozenset({"BTCUSDT", "ETHUSDT"})


def wire(event: Any, *, stream: Any = "btcusdt@kline_1m") -> bytes:
    return json.dumps({"stream": stream, "data": event}).encode()


def with_k(**changes: Any) -> dict[str, Any]:
    return EVENT | {"k": K | changes}


def test_a_final_kline_is_a_closed_candle() -> None:
    frame = read(wire(EVENT), SYMBOLS)

    assert isinstance(frame, ClosedCandle)
    assert (frame.symbol, frame.kline.open_ms, frame.event_ms) == ("BTCUSDT", MARCH_24, MARCH_24 + 60_012)
    assert frame.kline.figures[:5] == (100.5, 101.0, 99.75, 100.0, 12.5)


def test_a_kline_is_read_on_a_raw_stream_too() -> None:
    assert read(json.dumps(EVENT).encode(), SYMBOLS) == read(wire(EVENT), SYMBOLS)


def test_a_running_kline_is_a_sign_of_life_whatever_its_prices_say() -> None:
    assert read(wire(with_k(x=False)), SYMBOLS) == RunningCandle("BTCUSDT", MARCH_24 + 60_012)
    assert read(wire(with_k(x=False, c="NaN")), SYMBOLS) == RunningCandle("BTCUSDT", MARCH_24 + 60_012)


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded frames of the exchange are not beside the project")
def test_recorded_frames_are_candles_of_their_symbol() -> None:
    lines = [
        line
        for name in ("binance_kline_frames", "binance_us_kline_frames", "binance_futures_kline_frames")
        for line in (RECORDED / "cryptofeed" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    symbols = {json.loads(line)["data"]["s"] for line in lines}
    read_of_all = [read(line.encode(), symbols) for line in lines]

    assert [frame for frame in read_of_all if not isinstance(frame, ClosedCandle | RunningCandle)] == []
    assert sum(isinstance(frame, ClosedCandle) for frame in read_of_all) == 5


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b'{"result":null,"id":3}', Reply(3, "")),
        (b'{"result":["btcusdt@kline_1m"],"id":4}', Reply(4, "")),
        (b'{"error":{"code":2,"msg":"no"},"id":5}', Reply(5, '{"code": 2, "msg": "no"}')),
        (b'{"code":0,"msg":"Unknown property","id":6}', Reply(6, '{"code": 0, "msg": "Unknown property", "id": 6}')),
        (b'{"error":{"code":3,"msg":"Invalid JSON"},"id":null}', Reply(None, '{"code": 3, "msg": "Invalid JSON"}')),
        (b'{"e":"serverShutdown","E":1679616060012}', Shutdown()),
        (b'{"stream":"!x","data":{"e":"serverShutdown","E":1679616060012}}', Shutdown()),
    ],
)
def test_replies_and_announcements_are_known(message: bytes, expected: object) -> None:
    assert read(message, SYMBOLS) == expected


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"", "no JSON"),
        (b"\xff\xfe\x00", "no JSON"),
        (b"\x00\x01binary", "no JSON"),
        (wire(EVENT)[:-20], "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"9" * 100_000, "no JSON"),
        (b"[]", "no object"),
        (b"NaN", "no object"),
        (b'{"stream":"btcusdt@kline_1m","data":7}', "no event"),
        (b"{}", "unknown kind"),
        (b'{"e":"trade","s":"BTCUSDT"}', "unknown kind"),
        (b'{"e":["kline"]}', "unknown kind"),
        (wire(EVENT | {"k": None}), "no 1m kline of one symbol"),
        (wire(EVENT | {"s": 5}), "no 1m kline of one symbol"),
        (wire(EVENT | {"s": "ETHUSDT"}), "no 1m kline of one symbol"),
        (wire(with_k(i="5m")), "no 1m kline of one symbol"),
        (wire(with_k(s="XRPUSDT") | {"s": "XRPUSDT"}), "not asked for"),
        (wire(EVENT, stream="ethusdt@kline_1m"), "stream of another symbol"),
        (wire(EVENT, stream=["btcusdt@kline_1m"]), "stream of another symbol"),
        (wire(EVENT | {"E": "now"}), "event time"),
        (wire(EVENT | {"E": True}), "event time"),
        (wire(EVENT | {"E": 10**20}), "event time"),
        (wire(with_k(x="true")), "neither that it is final"),
        (wire(with_k(x=1)), "neither that it is final"),
        (wire(with_k(c="-1")), "close is negative"),
        (wire(with_k(t=MARCH_24 + 17_000, T=MARCH_24 + 76_999) | {"E": MARCH_24 + 77_100}), "minute grid"),
        (wire(EVENT | {"E": MARCH_24 + 58_000}), "before its minute is over"),
    ],
)
def test_what_is_no_sound_message_is_refused_with_a_reason(message: bytes, reason: str) -> None:
    frame = read(message, SYMBOLS)

    assert isinstance(frame, Refused)
    assert reason in frame.reason


def test_a_refused_message_is_kept_short_and_in_characters_that_postgresql_keeps() -> None:
    frame = read(b"a\0b\xff" + b"c" * 10_000_000, SYMBOLS)

    assert isinstance(frame, Refused)
    assert frame.payload.startswith("a\\x00b\\xffccc")
    assert len(frame.payload) == LONGEST_PAYLOAD
    assert frame.digest != frames.refuse(b"a\0b\xff", "").digest


@given(st.binary(max_size=200))
def test_any_bytes_are_read_as_something(message: bytes) -> None:
    assert isinstance(read(message, SYMBOLS), Reply | Shutdown | Refused)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.sampled_from(["kline", "1m"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("etTsikEx"), inner, max_size=4),
    max_leaves=12,
)


@given(
    st.dictionaries(st.sampled_from([*EVENT, "result", "id"]), ANYTHING, max_size=2),
    st.dictionaries(st.sampled_from(list(K)), ANYTHING, max_size=2),
)
def test_no_change_of_a_frame_makes_a_candle_that_has_not_closed(event: dict[str, Any], k: dict[str, Any]) -> None:
    said = EVENT | {"k": K | k} | event
    frame = read(wire(said), SYMBOLS)

    if isinstance(frame, ClosedCandle):
        assert said["k"]["x"] is True
        assert frame.symbol in SYMBOLS
        assert frame.event_ms + frames.CLOCKS_APART_MS >= frame.kline.close_ms
