"""The websocket streams, raw under /ws and combined under /stream."""

from aiohttp import web


def add_to(app: web.Application) -> None:
    """Routes of this module, and what has to be started and ended with the application."""
