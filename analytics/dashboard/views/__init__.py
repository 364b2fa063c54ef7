"""One module a page, with what belongs to it."""
