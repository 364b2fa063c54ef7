"""The heads that vote, in the order of their letters: votes and weights are columns in this order. Pure."""

from signals.heads.base import Head
from signals.heads.patterns import Patterns
from signals.heads.sentiment import Sentiment
from signals.heads.structure import Structure
from signals.heads.technical import Technical
from signals.heads.volume import Volume

HEADS: tuple[Head, ...] = (Technical(), Sentiment(), Volume(), Patterns(), Structure())
