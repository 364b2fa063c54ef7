"""The endpoint that makes the exchange misbehave and tells what it was asked; on a port of its own, on loopback."""

from aiohttp import web


def add_to(app: web.Application) -> None:
    """Routes of this module."""
