"""A local look-alike of Binance: its spot and futures REST, its websocket streams, and its bad days, on command."""
