"""Names of markets: BTCUSDT is BTC priced in USDT. Pure."""

import re

# Longest first, so that a name ends in FDUSD and not in USD.
QUOTE_ASSETS = ("FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USDP", "DAI", "BTC", "ETH", "BNB", "EUR", "GBP", "TRY", "BRL")

_NAME = re.compile(rf"([A-Z0-9]{{1,15}}?)({'|'.join(QUOTE_ASSETS)})")


def split_symbol(name: str) -> tuple[str, str]:
    """Base and quote asset; ValueError if the name is not a base followed by a quote asset we know."""
    found = _NAME.fullmatch(name)
    if found is None:
        raise ValueError(
            f"{name!r} is not a symbol: expected capital letters and digits ending in a quote asset"
            f" ({', '.join(QUOTE_ASSETS)}), such as BTCUSDT"
        )
    return found[1], found[2]
