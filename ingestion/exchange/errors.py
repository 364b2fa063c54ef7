"""Binance's error bodies: a code and a message, word for word."""

from typing import Any

from aiohttp import web


class ExchangeRefusal(Exception):
    """A request that the exchange finds fault with: the answer says which."""

    def __init__(self, code: int, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status

    def body(self) -> dict[str, Any]:
        return {"code": self.code, "msg": self.message}


def refused(code: int, message: str, *, status: int = 400, **headers: str) -> web.Response:
    """The answer that carries an error body."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return web.json_response({"code": code, "msg": message}, status=status, headers=named)


def invalid_symbol() -> ExchangeRefusal:
    return ExchangeRefusal(-1121, "Invalid symbol.")


def invalid_interval() -> ExchangeRefusal:
    return ExchangeRefusal(-1120, "Invalid interval.")


def missing(name: str) -> ExchangeRefusal:
    return ExchangeRefusal(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def illegal_characters(name: str, legal: str) -> ExchangeRefusal:
    return ExchangeRefusal(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")


def invalid_value(name: str) -> ExchangeRefusal:
    return ExchangeRefusal(-1130, f"Data sent for parameter '{name}' is not valid.")
