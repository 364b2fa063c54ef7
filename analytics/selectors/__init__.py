"""The questions people ask, answered from rows: one topic a file. Nothing here writes."""
