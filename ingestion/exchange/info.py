"""What the exchange tells about itself and its markets: the body of exchangeInfo. Pure."""

from typing import Any

from ingestion.exchange.listings import Listing

ORDER_TYPES = (
    *("LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT"),
    *("TAKE_PROFIT", "TAKE_PROFIT_LIMIT"),
)
SELF_TRADE_PREVENTION = ("EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT")
PERMISSIONS = ("SPOT", "MARGIN")
HIGHEST_PRICE, LARGEST_QUANTITY, LARGEST_NOTIONAL = 1_000_000.0, 9_000_000.0, 9_000_000.0


def information(
    listings: list[Listing], *, now_ms: int, weight_limit: int, with_permissions: bool = True
) -> dict[str, Any]:
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "rateLimits": [
            _limit("REQUEST_WEIGHT", "MINUTE", 1, weight_limit),
            _limit("ORDERS", "SECOND", 10, 100),
            _limit("ORDERS", "DAY", 1, 200_000),
            _limit("RAW_REQUESTS", "MINUTE", 5, 61_000),
        ],
        "exchangeFilters": [],
        "symbols": [_symbol(listing, with_permissions) for listing in listings],
    }


def _limit(kind: str, interval: str, count: int, limit: int) -> dict[str, Any]:
    return {"rateLimitType": kind, "interval": interval, "intervalNum": count, "limit": limit}


def _symbol(listing: Listing, with_permissions: bool) -> dict[str, Any]:
    return {
        "symbol": listing.symbol,
        "status": listing.status,
        "baseAsset": listing.base,
        "baseAssetPrecision": 8,
        "quoteAsset": listing.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": list(ORDER_TYPES),
        "icebergAllowed": True,
        "ocoAllowed": True,
        "otoAllowed": True,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": True,
        "cancelReplaceAllowed": True,
        "amendAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": True,
        "filters": _filters(listing),
        "permissions": [],
        "permissionSets": [list(PERMISSIONS)] if with_permissions else [],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": list(SELF_TRADE_PREVENTION),
    }


def _filters(listing: Listing) -> list[dict[str, Any]]:
    tick, step = figure(listing.tick_size), figure(listing.step_size)
    return [
        {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": figure(HIGHEST_PRICE), "tickSize": tick},
        {"filterType": "LOT_SIZE", "minQty": step, "maxQty": figure(LARGEST_QUANTITY), "stepSize": step},
        {"filterType": "ICEBERG_PARTS", "limit": 10},
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": figure(0.0),
            "maxQty": figure(LARGEST_QUANTITY),
            "stepSize": figure(0.0),
        },
        {
            "filterType": "TRAILING_DELTA",
            "minTrailingAboveDelta": 10,
            "maxTrailingAboveDelta": 2000,
            "minTrailingBelowDelta": 10,
            "maxTrailingBelowDelta": 2000,
        },
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": "5",
            "bidMultiplierDown": "0.2",
            "askMultiplierUp": "5",
            "askMultiplierDown": "0.2",
            "avgPriceMins": 5,
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": figure(listing.min_notional),
            "applyMinToMarket": True,
            "maxNotional": figure(LARGEST_NOTIONAL),
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 5},
    ]


def figure(value: float) -> str:
    """A decimal as the exchange writes it."""
    return f"{value:.8f}"
