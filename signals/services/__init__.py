"""Look, decide, track, void: the verbs of this app, one topic a file."""

from signals.services.decide import decide_close
from signals.services.late import late_closes, scan_late
from signals.services.look import first_try, look_chunk, next_due_close, open_close, opened
from signals.services.track import track
from signals.services.void import VoidError, void_decision

__all__ = [
    "VoidError",
    "decide_close",
    "first_try",
    "late_closes",
    "look_chunk",
    "next_due_close",
    "open_close",
    "opened",
    "scan_late",
    "track",
    "void_decision",
]
