"""Which markets are scanned: a rule over what the exchange lists and over the last 24 hours. Pure.

Tokens with leverage (BTCUP, BTCDOWN) are out because the exchange does not allow them on the spot market. Which assets
are worth a dollar it does not say: a pair of two such assets is in by its turnover, unless it is named to be out.
"""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ingestion.kline import NUMBER

TRADING, SPOT = "TRADING", "SPOT"
# A market that is scanned stays until it is clearly below the line, so that the edge does not come and go every day.
RANKS_BELOW, SHARE_BELOW = 1.2, 0.8
# The least order has had two names.
NOTIONALS = ("NOTIONAL", "MIN_NOTIONAL")


class UnreadableListingError(ValueError):
    """An answer about what is listed that cannot be read; the message says what is wrong with it."""


@dataclass(frozen=True)
class Listed:
    """A market as the exchange describes it; steps and the least order are None where it sets none."""

    symbol: str
    base_asset: str
    quote_asset: str
    status: str
    is_spot: bool
    tick_size: float | None
    step_size: float | None
    min_notional: float | None

    @property
    def is_traded(self) -> bool:
        return self.is_spot and self.status == TRADING


@dataclass(frozen=True)
class Rule:
    """Markets of this quote asset with enough turnover in it, and of them the `top` ones.

    `included`: beside those, whatever their turnover. `excluded`: never.
    """

    quote_asset: str
    minimum: float
    top: int
    included: frozenset[str] = frozenset()
    excluded: frozenset[str] = frozenset()


def chosen(
    listed: Mapping[str, Listed], turnover: Mapping[str, float], rule: Rule, scanned: Collection[str]
) -> frozenset[str]:
    """The markets to scan, given those that are scanned now. What has no turnover on record is not chosen by it."""
    traded = {symbol for symbol, market in listed.items() if market.is_traded} - rule.excluded
    ranked = sorted(
        (symbol for symbol in traded & turnover.keys() if listed[symbol].quote_asset == rule.quote_asset),
        key=lambda symbol: (-turnover[symbol], symbol),
    )

    def is_in(rank: int, symbol: str) -> bool:
        stays = symbol in scanned
        most = math.floor(rule.top * RANKS_BELOW) if stays else rule.top
        return rank < most and turnover[symbol] >= rule.minimum * (SHARE_BELOW if stays else 1.0)

    return frozenset(symbol for rank, symbol in enumerate(ranked) if is_in(rank, symbol)) | (traded & rule.included)


# --- what the exchange says -------------------------------------------------------------------------------------------


def listed_in(exchange_info: object) -> dict[str, Listed]:
    """Every market of an exchangeInfo answer, by symbol. One that cannot be read spoils all: it must not seem gone."""
    return {market.symbol: market for market in map(_listed, _objects(exchange_info, "symbols"))}


def turnover_in(tickers: object) -> dict[str, float]:
    """Quote volume of the last 24 hours by symbol, from the answer about all tickers."""
    found: dict[str, float] = {}
    for ticker in _objects({"tickers": tickers}, "tickers"):
        found[_text(ticker, "symbol")] = _number(ticker, "quoteVolume")
    return found


def _listed(entry: Mapping[str, Any]) -> Listed:
    filters = {_text(each, "filterType"): each for each in _objects(entry, "filters")}

    def step(name: str, figure: str) -> float | None:
        return (_number(filters[name], figure) or None) if name in filters else None

    return Listed(
        symbol=_text(entry, "symbol"),
        base_asset=_text(entry, "baseAsset"),
        quote_asset=_text(entry, "quoteAsset"),
        status=_text(entry, "status"),
        is_spot=_is_spot(entry),
        tick_size=step("PRICE_FILTER", "tickSize"),
        step_size=step("LOT_SIZE", "stepSize"),
        min_notional=next(filter(None, (step(name, "minNotional") for name in NOTIONALS)), None),
    )


def _is_spot(entry: Mapping[str, Any]) -> bool:
    """Permissions used to be a list, and are now sets of which one has to be held; either may be left out."""
    sets = _values(entry, "permissionSets", _is_list)
    allowed = {*_values(entry, "permissions", _is_text), *(each for one in sets for each in one)}
    return entry.get("isSpotTradingAllowed") is True and (not allowed or SPOT in allowed)


def _objects(body: object, name: str) -> list[dict[str, Any]]:
    found = body.get(name) if isinstance(body, dict) else None
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise UnreadableListingError(f"{name} is no list of objects")
    return found


def _values(entry: Mapping[str, Any], name: str, is_fit: Callable[[object], bool]) -> list[Any]:
    found = entry.get(name) or []
    if not isinstance(found, list) or not all(map(is_fit, found)):
        raise UnreadableListingError(f"{name} of {entry.get('symbol')} cannot be read")
    return found


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_list(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _text(entry: Mapping[str, Any], name: str) -> str:
    found = entry.get(name)
    if not isinstance(found, str) or not found:
        raise UnreadableListingError(f"{name} of {entry.get('symbol', 'an entry')} is no text")
    return found


def _number(entry: Mapping[str, Any], name: str) -> float:
    """The exchange writes numbers as text; none of those read here can be negative or without end."""
    found = entry.get(name)
    value = float(found) if isinstance(found, str) and NUMBER.fullmatch(found) else -1.0
    if not 0 <= value < math.inf:
        raise UnreadableListingError(f"{name} of {entry.get('symbol', entry.get('filterType'))} is no number")
    return value
