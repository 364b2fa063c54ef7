"""Answers as they go out: compact JSON, or the web page that stands before the exchange."""

import json
from collections.abc import Mapping
from itertools import chain
from typing import Any

import numpy as np
from aiohttp import web

from ingestion.exchange import errors
from ingestion.exchange.limits import Limits, Verdict
from ingestion.exchange.series import Bars

JSON_TYPE = "application/json;charset=UTF-8"
ROW = '[%d,"%.8f","%.8f","%.8f","%.8f","%.8f",%d,"%.8f",%d,"%.8f","%.8f","0"]'
NOT_FOUND = "<html><body><h2>404 Not found</h2></body></html>"


def answer(body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON answer; a text is JSON already."""
    text = body if isinstance(body, str) else json.dumps(body, separators=(",", ":"))
    return web.Response(body=text.encode(), status=status, headers={"Content-Type": JSON_TYPE, **(headers or {})})


def page(html: str, *, status: int) -> web.Response:
    return web.Response(text=html, status=status, content_type="text/html")


def refusal(verdict: Verdict, limits: Limits) -> web.Response:
    """The answer to whoever asked too much."""
    is_ban = verdict.status == 418
    body = errors.banned(verdict.banned_until_ms) if is_ban else errors.too_much_weight(limits.weight)
    return answer(body, status=verdict.status, headers={"Retry-After": str(verdict.retry_after)})


def klines_text(bars: Bars) -> str:
    """The rows as JSON. What the source of the candles did not have is 0, as decided for this exchange."""
    columns = [column.tolist() for column in np.nan_to_num(bars.figures).T]
    opened, closed = bars.open_ms.tolist(), bars.close_ms.tolist()
    rows = zip(opened, *columns[:5], closed, *columns[5:], strict=True)
    # One formatting call for the whole page is several times cheaper than one a row.
    return "[" + ",".join([ROW] * len(bars)) % tuple(chain.from_iterable(rows)) + "]"
