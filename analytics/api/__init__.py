"""The HTTP API: declarations over the selectors."""
