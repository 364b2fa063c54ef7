"""A database of a long history: drawn decisions, and everything learned from them by the real nights."""
