"""The market as it happens: kline frames of the exchange into the candle table, for months on end."""
