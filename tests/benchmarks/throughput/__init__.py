"""Hundreds of symbols scanned every minute at real speed, and a backlog drained by one and by two workers."""
