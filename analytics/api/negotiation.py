"""Which form an answer takes. Who asks is looked at first, so that a wrong form is no answer to a stranger."""

from collections.abc import Iterable

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer


class ByParameterOrHeader(DefaultContentNegotiation):
    """`format=` before Accept. One that nobody knows is refused with the other parameters (`parameters`)."""

    def filter_renderers(self, renderers: Iterable[BaseRenderer], format: str) -> list[BaseRenderer]:
        known = list(renderers)
        return [renderer for renderer in known if renderer.format == format] or known
