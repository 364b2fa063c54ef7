"""The perpetual contracts of the futures exchange: one for every market in dollars, and what they are worth."""

from typing import Any

from ingestion.exchange.listings import Listing
from ingestion.exchange.readings import interest_value, premium
from ingestion.exchange.series import CLOSE, OPEN
from ingestion.exchange.state import Exchange

QUOTE = "USDT"
# When the exchange opened its first contract; nothing is told of the time before.
ONBOARD_MS, DELIVERY_MS = 1_569_398_400_000, 4_133_404_800_000
ORDER_TYPES = ("LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET")
TIME_IN_FORCE = ("GTC", "IOC", "FOK", "GTX", "GTD")


def contracts(exchange: Exchange, now_ms: int) -> list[str]:
    """The symbols that have a contract."""
    listed = exchange.market.symbols(now_ms)
    return [symbol for symbol in listed if exchange.market.listing(symbol).quote == QUOTE]


def index_price(exchange: Exchange, symbol: str, at_ms: int) -> float:
    """The spot price then; before the first candle its opening, since contracts are older than the recording."""
    last = exchange.market.klines(symbol, end_ms=at_ms, limit=1, now_ms=at_ms)
    return float(last.figures[-1, CLOSE]) if len(last) else first_price(exchange, symbol)


def first_price(exchange: Exchange, symbol: str) -> float:
    first = exchange.market.klines(symbol, start_ms=0, limit=1, now_ms=exchange.clock.now_ms())
    return float(first.figures[0, OPEN]) if len(first) else 1.0


def mark_price(exchange: Exchange, symbol: str, at_ms: int) -> float:
    return index_price(exchange, symbol, at_ms) * (1 + premium(symbol, at_ms))


def open_coins(exchange: Exchange, symbol: str, at_ms: int) -> float:
    """Open interest in coins, which moves slowly whatever the price does."""
    return interest_value(symbol, at_ms) / first_price(exchange, symbol)


# --- exchangeInfo -----------------------------------------------------------------------------------------------------


def information(listings: list[Listing], *, now_ms: int, weight_limit: int) -> dict[str, Any]:
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "futuresType": "U_MARGINED",
        "rateLimits": [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": weight_limit},
            {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 1200},
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 300},
        ],
        "exchangeFilters": [],
        "assets": [{"asset": QUOTE, "marginAvailable": True, "autoAssetExchange": "-10000"}],
        "symbols": [_contract(listing) for listing in listings],
    }


def _contract(listing: Listing) -> dict[str, Any]:
    return {
        "symbol": listing.symbol,
        "pair": listing.symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": DELIVERY_MS,
        "onboardDate": ONBOARD_MS,
        "status": listing.status,
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": listing.base,
        "quoteAsset": listing.quote,
        "marginAsset": listing.quote,
        "pricePrecision": _decimals(listing.tick_size),
        "quantityPrecision": _decimals(listing.step_size),
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": [],
        "triggerProtect": "0.0500",
        "liquidationFee": "0.012500",
        "marketTakeBound": "0.05",
        "maxMoveOrderLimit": 10000,
        "filters": _filters(listing),
        "orderTypes": list(ORDER_TYPES),
        "timeInForce": list(TIME_IN_FORCE),
        "permissionSets": ["GRID", "COPY"],
    }


def _filters(listing: Listing) -> list[dict[str, Any]]:
    tick, step = _plain(listing.tick_size), _plain(listing.step_size)
    return [
        {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000", "tickSize": tick},
        {"filterType": "LOT_SIZE", "minQty": step, "maxQty": "1000000", "stepSize": step},
        {"filterType": "MARKET_LOT_SIZE", "minQty": step, "maxQty": "100000", "stepSize": step},
        {"filterType": "MAX_NUM_ORDERS", "limit": 200},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": 10},
        {"filterType": "MIN_NOTIONAL", "notional": "5"},
        {"filterType": "PERCENT_PRICE", "multiplierUp": "1.0500", "multiplierDown": "0.9500", "multiplierDecimal": "4"},
    ]


def _plain(step: float) -> str:
    return f"{step:.{_decimals(step)}f}"


def _decimals(step: float) -> int:
    return len(f"{step:.8f}".rstrip("0").partition(".")[2])
