"""Look, decide, track: the verbs of this app, one topic a file."""

from signals.services.decide import decide_close
from signals.services.look import look_chunk, open_close
from signals.services.track import track

__all__ = ["decide_close", "look_chunk", "open_close", "track"]
