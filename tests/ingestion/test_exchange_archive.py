"""The simulator's bulk archive: data.binance.vision's layout and rows, readable by what reads the real one."""

import hashlib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests

from ingestion.archive import Archive, ArchiveError, days, months
from ingestion.csv_format import read_candle_file
from ingestion.exchange.archive import write_archive
from ingestion.exchange.faults import Fault
from ingestion.exchange.market import Market
from ingestion.timeframes import MINUTE_MS, Candles
from tests.ingestion.exchanges import RunningExchange, running_exchange
from tests.ingestion.market import made_candles

BTC, ETH = "BTCUSDT", "ETHUSDT"
DAY_MS = 1440 * MINUTE_MS
# The last three days of 2024, and then the first of 2025 in microseconds.
START_MS = 1_735_430_400_000
NEW_YEAR_MS = START_MS + 3 * DAY_MS
CANDLES = made_candles(count=6 * 1440, start_ms=START_MS, without=range(100, 160))
LAST_OF_2024 = f"spot/daily/klines/{BTC}/1m/{BTC}-1m-2024-12-31.zip"


@pytest.fixture
def market() -> Market:
    return Market({BTC: CANDLES, ETH: made_candles(count=6 * 1440, start_ms=START_MS, full=False)})


@pytest.fixture
def running(market: Market) -> Iterator[RunningExchange]:
    with running_exchange(market, start_ms=NEW_YEAR_MS + 2 * DAY_MS, frozen=True) as exchange:
        yield exchange


def fetched(running: RunningExchange, place: str) -> requests.Response:
    return requests.get(f"{running.rest_url}/data/{place}", timeout=10)


def same(one: Candles, other: Candles) -> bool:
    return all(
        np.allclose(getattr(one, name), getattr(other, name), rtol=0, atol=5e-9, equal_nan=True)
        for name in one.__dataclass_fields__
    )


# --- files ------------------------------------------------------------------------------------------------------------


def test_months_and_days_that_are_over_are_written_each_with_its_checksum(market: Market, tmp_path: Path) -> None:
    written = write_archive(market, tmp_path, now_ms=NEW_YEAR_MS + DAY_MS + 1, symbols=[BTC])

    names = [f"{BTC}-1m-2024-12", *(f"{BTC}-1m-2024-12-{day}" for day in (29, 30, 31)), f"{BTC}-1m-2025-01-01"]
    assert [file.name for file in written] == [f"{name}.zip" for name in names]
    assert written[0] == tmp_path / f"spot/monthly/klines/{BTC}/1m/{BTC}-1m-2024-12.zip"
    assert written[3] == tmp_path / LAST_OF_2024
    for file in written:
        told = file.with_name(f"{file.name}.CHECKSUM").read_text(encoding="ascii")
        assert told == f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n"


def test_a_file_holds_the_candles_of_its_time_and_no_others(market: Market, tmp_path: Path) -> None:
    written = write_archive(market, tmp_path, now_ms=market.end_ms, symbols=[BTC])

    month, first, *_, last = (read_candle_file(file) for file in written[:4])
    assert not month.bad_rows
    assert same(month.candles, CANDLES.between(START_MS, NEW_YEAR_MS))
    assert same(first.candles, CANDLES.between(START_MS, START_MS + DAY_MS))
    assert len(first.candles) == 1440 - 60
    assert same(last.candles, CANDLES.between(NEW_YEAR_MS - DAY_MS, NEW_YEAR_MS))


def test_rows_are_those_of_binance_and_count_microseconds_from_2025_on(market: Market, tmp_path: Path) -> None:
    write_archive(market, tmp_path, now_ms=market.end_ms, symbols=[BTC])

    rows = {}
    for year, day in (("2024", "12-31"), ("2025", "01-01")):
        file = tmp_path / f"spot/daily/klines/{BTC}/1m/{BTC}-1m-{year}-{day}.zip"
        with zipfile.ZipFile(file) as content:
            assert content.namelist() == [f"{BTC}-1m-{year}-{day}.csv"]
            rows[year] = content.read(content.namelist()[0]).decode().split("\n")[0].split(",")

    assert [rows["2024"][i] for i in (0, 6)] == [str(NEW_YEAR_MS - DAY_MS), str(NEW_YEAR_MS - DAY_MS + 59_999)]
    assert [rows["2025"][i] for i in (0, 6)] == [f"{NEW_YEAR_MS}000", f"{NEW_YEAR_MS + 59_999}999"]
    assert [len(rows["2025"]), rows["2025"][11]] == [12, "0"]
    assert all(len(rows["2025"][i].partition(".")[2]) == 8 for i in (1, 2, 3, 4, 5, 7, 9, 10))
    assert rows["2025"][8].isdecimal()


def test_figures_that_the_market_lacks_stay_empty(market: Market, tmp_path: Path) -> None:
    written = write_archive(market, tmp_path, now_ms=market.end_ms, symbols=[ETH])

    file = read_candle_file(written[1])
    assert (file.bad_rows, len(file.candles)) == ((), 1440)
    assert np.isnan(file.candles.trades).all()


# --- over the wire ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["monthly/klines/{0}/1m/{0}-1m-2024-12.zip", "daily/klines/{0}/1m/{0}-1m-2025-01-01.zip"]
)
def test_served_files_are_those_that_are_written(
    running: RunningExchange, market: Market, tmp_path: Path, name: str
) -> None:
    write_archive(market, tmp_path, now_ms=running.exchange.clock.now_ms())
    place = f"spot/{name.format(BTC)}"

    assert fetched(running, place).content == (tmp_path / place).read_bytes()
    assert fetched(running, f"{place}.CHECKSUM").text == (tmp_path / f"{place}.CHECKSUM").read_text()


def test_the_reader_of_the_real_archive_reads_it(running: RunningExchange, settings: Any) -> None:
    settings.ALPHAPULSE_EXCHANGE_TIMEOUT = 10.0
    with Archive(f"{running.rest_url}/data") as archive:
        december = archive.read(BTC, months(START_MS, START_MS + 1)[0])
        new_year = archive.read(BTC, days(NEW_YEAR_MS, NEW_YEAR_MS + 1)[0])
        january = archive.read(BTC, months(NEW_YEAR_MS, NEW_YEAR_MS + 1)[0])

    assert december is not None
    assert new_year is not None
    assert same(december.candles, CANDLES.between(START_MS, NEW_YEAR_MS))
    assert same(new_year.candles, CANDLES.between(NEW_YEAR_MS, NEW_YEAR_MS + DAY_MS))
    assert january is None


@pytest.mark.parametrize(
    "place",
    [
        f"spot/daily/klines/{BTC}/1m/{BTC}-1m-2025-01-03.zip",
        f"spot/monthly/klines/{BTC}/1m/{BTC}-1m-2025-01.zip",
        f"spot/daily/klines/{BTC}/1m/{BTC}-1m-2024-12-01.zip",
        f"spot/monthly/klines/{BTC}/1m/{BTC}-1m-2024-12-31.zip",
        f"spot/daily/klines/{BTC}/1m/{BTC}-1m-2024-13-31.zip",
        f"spot/daily/klines/{BTC}/5m/{BTC}-5m-2024-12-31.zip",
        "spot/daily/klines/XRPUSDT/1m/XRPUSDT-1m-2024-12-31.zip",
        f"spot/daily/klines/{BTC}/1m/{ETH}-1m-2024-12-31.zip",
        "",
        "../../etc/passwd",
    ],
)
def test_what_is_not_over_or_never_was_does_not_exist(running: RunningExchange, place: str) -> None:
    assert [fetched(running, name).status_code for name in (place, f"{place}.CHECKSUM")] == [404, 404]


def test_a_market_that_was_corrected_has_another_file(running: RunningExchange, market: Market) -> None:
    before = fetched(running, LAST_OF_2024).content
    market.restate(BTC, NEW_YEAR_MS - MINUTE_MS, {"volume": 1.0})

    after = fetched(running, LAST_OF_2024).content

    assert after != before
    assert fetched(running, f"{LAST_OF_2024}.CHECKSUM").text.startswith(hashlib.sha256(after).hexdigest())


def test_downloads_are_in_the_log(running: RunningExchange) -> None:
    fetched(running, LAST_OF_2024)
    fetched(running, "nothing")

    assert running.control.get("/requests")["statuses"] == {"200": 1, "404": 1}


# --- faults -----------------------------------------------------------------------------------------------------------


def test_a_checksum_can_be_wrong_so_that_the_reader_refuses_the_file(running: RunningExchange, settings: Any) -> None:
    settings.ALPHAPULSE_EXCHANGE_TIMEOUT = 10.0
    running.exchange.faults.add(Fault("archive_checksum", count=1))
    day = days(NEW_YEAR_MS, NEW_YEAR_MS + 1)[0]

    with Archive(f"{running.rest_url}/data") as archive:
        with pytest.raises(ArchiveError, match="sha256"):
            archive.read(BTC, day)
        assert archive.read(BTC, day) is not None


def test_a_file_can_be_missing(running: RunningExchange) -> None:
    running.exchange.faults.add(Fault("archive_missing", symbols=frozenset({BTC})))

    assert fetched(running, LAST_OF_2024).status_code == 404
    assert fetched(running, LAST_OF_2024.replace(BTC, ETH)).status_code == 200


def test_a_file_can_be_replaced_by_one_that_says_something_else(running: RunningExchange, tmp_path: Path) -> None:
    running.exchange.faults.add(Fault("archive_replaced", paths=frozenset({f"/data/{LAST_OF_2024}"})))
    content, told = (fetched(running, place) for place in (LAST_OF_2024, f"{LAST_OF_2024}.CHECKSUM"))
    file = tmp_path / f"{BTC}-1m-2024-12-31.zip"
    file.write_bytes(content.content)

    read = read_candle_file(file)

    assert told.text.startswith(hashlib.sha256(content.content).hexdigest())
    assert (read.bad_rows, len(read.candles)) == ((), 1440)
    there = CANDLES.between(NEW_YEAR_MS - DAY_MS, NEW_YEAR_MS)
    assert np.allclose(read.candles.close, there.close * 1.001)
    assert np.array_equal(read.candles.open_ms, there.open_ms)
