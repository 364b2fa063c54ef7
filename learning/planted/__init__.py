"""The planted-truth benchmark: markets whose truth is known, what could be reached there, and what is."""
