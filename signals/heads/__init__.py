"""The heads that vote, in the order of their letters: votes and weights are columns in this order. Pure."""

from signals.heads.base import Head
from signals.heads.technical import Technical

HEADS: tuple[Head, ...] = (Technical(),)
