"""A query as the exchange reads it: what is missing, malformed, unknown or sent twice ends in its error."""

import json
import re
from typing import Any

from multidict import MultiMapping

from ingestion.exchange import errors
from ingestion.exchange.listings import BREAK, HALT, TRADING
from ingestion.timeframes import MINUTE_MS

SYMBOL = re.compile(r"[A-Z0-9_\-.]{1,50}")
NUMBER = re.compile(r"[0-9]{1,20}")
ZONE = re.compile(r"([+-]?)([0-9]{1,2})(?::([0-9]{2}))?")
# Further than this no time lies that the exchange has ever heard of.
LATEST_MS = 10**15
WESTMOST_MINUTES, EASTMOST_MINUTES = -12 * 60, 14 * 60


class Query:
    """The parameters of one request; `finish` once all that are known have been asked for."""

    def __init__(self, sent: MultiMapping[str]) -> None:
        self._sent = sent
        self._read: set[str] = set()
        if len(set(sent)) != len(sent):
            raise errors.duplicate_parameter()

    def text(self, name: str) -> str | None:
        self._read.add(name)
        value = self._sent.get(name)
        if value == "":
            raise errors.empty(name)
        return value

    def mandatory(self, name: str) -> str:
        self._read.add(name)
        value = self._sent.get(name)
        if not value:
            raise errors.missing(name)
        return value

    def has(self, name: str) -> bool:
        return name in self._sent

    def symbol(self) -> str:
        return _legal_symbol(self.mandatory("symbol"))

    def number(self, name: str, default: int | None = None) -> int | None:
        value = self.text(name)
        if value is None:
            return default
        if not NUMBER.fullmatch(value):
            raise errors.illegal_characters(name, errors.NUMBER_RANGE)
        if int(value) > LATEST_MS:
            raise errors.invalid_value(name)
        return int(value)

    def limit(self, *, default: int, most: int) -> int:
        """More than the most is the most; none at all is an error."""
        value = self.number("limit", default)
        if not value:
            raise errors.invalid_value("limit")
        return min(value, most)

    def zone_ms(self) -> int:
        """How far the time zone asked for is ahead of UTC."""
        value = self.text("timeZone")
        if value is None:
            return 0
        # A plus sign arrives as a blank from whoever forgot to encode it.
        found = ZONE.fullmatch(value.strip())
        if found is None or int(found[3] or 0) > 59:
            raise errors.invalid_value("timeZone")
        minutes = (int(found[2]) * 60 + int(found[3] or 0)) * (-1 if found[1] == "-" else 1)
        if not WESTMOST_MINUTES <= minutes <= EASTMOST_MINUTES:
            raise errors.invalid_value("timeZone")
        return minutes * MINUTE_MS

    def flag(self, name: str, *, default: bool) -> bool:
        value = self.text(name)
        if value not in (None, "true", "false"):
            raise errors.invalid_value(name)
        return default if value is None else value == "true"

    def status(self) -> str | None:
        value = self.text("symbolStatus")
        if value not in (None, TRADING, HALT, BREAK):
            raise errors.invalid_status()
        return value

    def symbols(self) -> list[str] | None:
        """The one symbol or the list of them that is asked for; None if neither was sent."""
        if self.has("symbol") and self.has("symbols"):
            raise errors.bad_combination()
        self._read |= {"symbol", "symbols"}
        if self.has("symbol"):
            return [self.symbol()]
        return _listed(self.mandatory("symbols")) if self.has("symbols") else None

    def names(self, name: str) -> list[str] | None:
        """One name, or a JSON list of them."""
        value = self.text(name)
        if value is None:
            return None
        found = _json(value) if value.startswith("[") else [value]
        if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
            raise errors.invalid_value(name)
        return found

    def finish(self) -> None:
        """Everything that was sent has been read, or the request is refused."""
        unread = set(self._sent) - self._read
        if unread and not self._read:
            raise errors.too_many_parameters(0, len(self._sent))
        if unread:
            raise errors.unread_parameters(len(self._sent) - len(unread), len(self._sent))


def _listed(value: str) -> list[str]:
    found = _json(value)
    # The exchange's own pattern allows no blanks between the names.
    if not isinstance(found, list) or re.search(r"\s", value):
        raise errors.illegal_characters("symbols", errors.SYMBOLS_RANGE)
    if not found or not all(isinstance(each, str) and SYMBOL.fullmatch(each) for each in found):
        raise errors.illegal_characters("symbols", errors.SYMBOLS_RANGE)
    if len(set(found)) != len(found):
        raise errors.repeated_symbol()
    return found


def _legal_symbol(value: str) -> str:
    if not SYMBOL.fullmatch(value):
        raise errors.illegal_characters("symbol", errors.SYMBOL_RANGE)
    return value


def _json(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return None
