"""The public futures data endpoints, /fapi/v1/ and /futures/data/."""

from collections.abc import Callable, Mapping

from aiohttp import web

WEIGHTS: dict[str, Callable[[Mapping[str, str]], int]] = {}


def add_to(app: web.Application) -> None:
    """Routes of this module, and what has to be started and ended with the application."""
