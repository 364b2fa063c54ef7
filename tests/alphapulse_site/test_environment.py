import multiprocessing
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from alphapulse_site import environment

GOOD_SECRET = "kD3-x9Qm2vT7bLpW0zRfYhN5sJcA8uGeOi4XtB6nEw1"


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (lambda: environment.text("THING"), "  "),
        (lambda: environment.flag("THING", default=True), "maybe"),
        (lambda: environment.whole_number("THING", 1, minimum=0, maximum=9), "10"),
        (lambda: environment.whole_number("THING", 1, minimum=0, maximum=9), "-1"),
        (lambda: environment.whole_number("THING", 1, minimum=0, maximum=9), "1.5"),
        (lambda: environment.whole_number("THING", 1, minimum=0, maximum=9), "\u00b2"),
        (lambda: environment.number("THING", 0.1, minimum=0, maximum=1), "nan"),
        (lambda: environment.number("THING", 0.1, minimum=0, maximum=1), "inf"),
        (lambda: environment.number("THING", 0.1, minimum=0, maximum=1), "0,1"),
        (lambda: environment.choice("THING", "a", ("a", "b")), "c"),
        (lambda: environment.names("THING", []), "a.example b.example"),
        (lambda: environment.database("THING"), "sqlite:///db.sqlite3"),
        (lambda: environment.database("THING"), "postgresql://host:99x/db"),
        (lambda: environment.database("THING"), "postgresql://user@host"),
        (lambda: environment.database("THING"), "postgresql://host/db?nonsense=1"),
        (lambda: environment.redis("THING"), "amqp://localhost"),
        (lambda: environment.broker("THING", ""), "http://localhost"),
        (lambda: environment.web_url("THING", ""), "fapi.binance.com"),
        (lambda: environment.web_url("THING", ""), "ftp://fapi.binance.com"),
        (lambda: environment.web_url("THING", ""), "https://"),
        (lambda: environment.web_url("THING", "", ("wss", "ws")), "https://stream.binance.com"),
        (lambda: environment.web_url("THING", ""), "http://host:99999"),
        (lambda: environment.secret("THING"), "short"),
        (lambda: environment.secret("THING"), "a" * 60),
        (lambda: environment.secret("THING"), "change-me-" + GOOD_SECRET),
    ],
)
def test_nonsense_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, read: Callable[[], Any], value: str) -> None:
    monkeypatch.setenv("THING", value)

    with pytest.raises(ImproperlyConfigured, match="THING"):
        read()


@pytest.mark.parametrize("word", ["1", "true", "YES", "on"])
def test_the_usual_words_for_yes(monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    monkeypatch.setenv("THING", word)

    assert environment.flag("THING", default=False)


def test_a_database_url_is_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THING", "postgresql://an%40na:p%2Fw@db.internal:6432/market?sslmode=verify-full")

    read = environment.database("THING")

    assert read == {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "market",
        "USER": "an@na",
        "PASSWORD": "p/w",
        "HOST": "db.internal",
        "PORT": "6432",
        "OPTIONS": {"sslmode": "verify-full"},
    }


def test_a_database_url_may_name_a_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THING", "postgresql:///market?host=%2Frun%2Fmy%20postgres")

    assert environment.database("THING")["HOST"] == "/run/my postgres"


def test_a_web_address_may_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THING", "http://127.0.0.1:8080/fng/")

    assert environment.web_url("THING", "") == "http://127.0.0.1:8080/fng/"
    assert environment.web_url("NO_SUCH_THING", "") == ""
    assert environment.web_url("NO_SUCH_THING", "ws://127.0.0.1:8900", ("wss", "ws")) == "ws://127.0.0.1:8900"


def test_a_secret_may_come_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(GOOD_SECRET + "\n", encoding="utf-8")
    monkeypatch.setenv("THING_FILE", str(tmp_path / "secret"))

    assert environment.secret("THING") == GOOD_SECRET


def test_a_missing_secret_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("THING_FILE", str(tmp_path / "nowhere"))

    with pytest.raises(ImproperlyConfigured, match="THING_FILE"):
        environment.secret("THING")


def test_processes_that_start_together_keep_one_secret(tmp_path: Path) -> None:
    with multiprocessing.get_context("fork").Pool(4) as pool:
        kept = pool.map(environment.kept_secret, [tmp_path / "secret"] * 4)

    assert len(set(kept)) == 1
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["secret"]
