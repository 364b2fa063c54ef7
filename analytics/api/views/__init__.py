"""Endpoints: each checks its query, asks one selector or service, and declares what it answers."""
