"""The replay command on real candles: complete, quiet with --json, and clear about what it cannot do."""

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

RECORDING = Path(__file__).resolve().parents[2] / "ingestion" / "recordings" / "2021-06-10_2021-07-10"
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "candles" / "spot_1m" / "2023-03-16_2023-05-01"


def replayed(*arguments: str) -> dict:
    out = StringIO()
    call_command("replay", *arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_a_replay_prints_its_figures_and_its_digest_is_the_same_each_time() -> None:
    files = [str(RECORDING / f"{symbol}-1m.csv.gz") for symbol in ("BTCUSDT", "ETHUSDT")]
    arguments = ("--candles", *files, "--to", "2021-06-18", "--learn")

    first, second = replayed(*arguments), replayed(*arguments)

    assert first["decisions_digest"] == second["decisions_digest"]
    assert first["scans"] == first["signals"] + sum(first["rejected"].values()) > 300
    assert first["pending_after_limit"] == 0
    assert set(first) >= {
        *("candles", "scans", "signals", "rejected", "rejection_rate", "outcomes", "win_rate", "expectancy_r"),
        *("rejection_accuracy", "gate_value_r", "weights", "decisions_digest", "cpu_seconds"),
    }


def test_without_an_outcome_there_is_no_rate() -> None:
    figures = replayed("--candles", str(RECORDING / "BTCUSDT-1m.csv.gz"), "--to", "2021-06-15T12:00")

    assert (figures["scans"], figures["rejection_rate"]) == (0, None)
    assert figures["win_rate"] == {"value": None, "n": 0, "ci_low": None, "ci_high": None}


def test_an_unknown_symbol_or_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"no candle file for NOPEUSDT; there is: .*BTCUSDT"):
        replayed("--candles", str(RECORDING), "--symbols", "NOPEUSDT")
    with pytest.raises(CommandError, match="no such file or directory"):
        replayed("--candles", str(tmp_path / "missing"))


@pytest.mark.slow
def test_an_outage_with_silent_minutes_before_it_breaks_nothing() -> None:
    if not SHARED.exists():
        pytest.skip("needs ../shared/data/candles, which is not here")

    figures = replayed("--candles", str(SHARED), "--symbols", "ADAUSDT,BTCUSDT,ETHUSDT", "--to", "2023-03-26")

    assert figures["missing_minutes"] == {"ADAUSDT": 80, "BTCUSDT": 80, "ETHUSDT": 80}
    assert figures["zero_volume_minutes"]["BTCUSDT"] == 72
    assert figures["rejected"]["stale_data"] > 0
    assert figures["outcomes"]["shadows"]["void"] > 0
    assert figures["pending_after_limit"] == 0
