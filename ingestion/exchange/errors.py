"""What the exchange finds fault with, in its own codes and words."""

from aiohttp import web

SYMBOL = r"[\w\-._&&[^a-z]]{1,50}"
SYMBOL_RANGE = f"^{SYMBOL}$"
SYMBOLS_RANGE = rf'^\[("{SYMBOL}"(,"{SYMBOL}"){{0,}}){{0,1}}\]$'
NUMBER_RANGE = "^[0-9]{1,20}$"


class ExchangeRefusal(Exception):
    """A request that the exchange finds fault with: the answer says which."""

    def __init__(self, code: int, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"code": code, "msg": message}


def refused(code: int, message: str, *, status: int = 400, **headers: str) -> web.Response:
    """The answer that carries an error body."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return web.json_response({"code": code, "msg": message}, status=status, headers=named)


def too_much_weight(limit: int) -> dict[str, object]:
    return _body(
        -1003,
        f"Too much request weight used; current limit is {limit} request weight per 1 MINUTE."
        " Please use WebSocket Streams for live updates to avoid polling the API.",
    )


def banned(until_ms: int) -> dict[str, object]:
    return _body(
        -1003,
        f"Way too much request weight used; IP banned until {until_ms}."
        " Please use WebSocket Streams for live updates to avoid bans.",
    )


def _body(code: int, message: str) -> dict[str, object]:
    return {"code": code, "msg": message}


def illegal_characters(name: str, legal: str) -> ExchangeRefusal:
    return ExchangeRefusal(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")


def too_many_parameters(expected: int, received: int) -> ExchangeRefusal:
    return ExchangeRefusal(-1101, f"Too many parameters; expected '{expected}' and received '{received}'.")


def duplicate_parameter() -> ExchangeRefusal:
    return ExchangeRefusal(-1101, "Duplicate values for a parameter detected.")


def missing(name: str) -> ExchangeRefusal:
    return ExchangeRefusal(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def unread_parameters(read: int, sent: int) -> ExchangeRefusal:
    return ExchangeRefusal(
        -1104, f"Not all sent parameters were read; read '{read}' parameter(s) but was sent '{sent}'."
    )


def empty(name: str) -> ExchangeRefusal:
    return ExchangeRefusal(-1105, f"Parameter '{name}' was empty.")


def invalid_interval() -> ExchangeRefusal:
    return ExchangeRefusal(-1120, "Invalid interval.")


def invalid_symbol() -> ExchangeRefusal:
    return ExchangeRefusal(-1121, "Invalid symbol.")


def invalid_status() -> ExchangeRefusal:
    return ExchangeRefusal(-1122, "Invalid symbolStatus.")


def bad_combination() -> ExchangeRefusal:
    return ExchangeRefusal(-1128, "Combination of optional parameters invalid.")


def invalid_value(name: str) -> ExchangeRefusal:
    return ExchangeRefusal(-1130, f"Data sent for parameter '{name}' is not valid.")


def invalid_ticker_type() -> ExchangeRefusal:
    return ExchangeRefusal(-1139, "Invalid ticker type.")


def repeated_symbol() -> ExchangeRefusal:
    return ExchangeRefusal(-1151, "Symbol is present multiple times in the list.")


def other_status() -> ExchangeRefusal:
    return ExchangeRefusal(-1220, "The symbol's status does not match the requested symbolStatus.")
