"""Look, decide, track: the verbs of this app, one topic a file."""

from signals.services.decide import decide_close
from signals.services.look import first_try, look_chunk, next_due_close, open_close, opened
from signals.services.track import track

__all__ = ["decide_close", "first_try", "look_chunk", "next_due_close", "open_close", "opened", "track"]
