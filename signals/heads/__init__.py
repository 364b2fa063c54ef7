"""The nine heads that vote, in the order of their letters: votes and weights are columns in this order. Pure."""

from signals.heads.base import Expert
from signals.heads.crypto_metrics import CryptoMetrics
from signals.heads.harmonic import Harmonic
from signals.heads.patterns import Patterns
from signals.heads.sentiment import Sentiment
from signals.heads.smart_money import SmartMoney
from signals.heads.structure import Structure
from signals.heads.technical import Technical
from signals.heads.volume import Volume
from signals.heads.wyckoff import Wyckoff

HEADS: tuple[Expert, ...] = (
    *(
        Technical(),
        Sentiment(),
        Volume(),
        Patterns(),
        SmartMoney(),
        Wyckoff(),
        Harmonic(),
        Structure(),
        CryptoMetrics(),
    ),
)
