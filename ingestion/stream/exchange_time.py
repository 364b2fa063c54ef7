"""What time it is at the exchange, told from the stamps of its messages and a steady clock of ours. Pure.

The machine's own time of day is nowhere in it: it may be wrong by hours, and in a recording it means nothing.
"""

from collections import deque

from ingestion.timeframes import MINUTE_MS

# The quickest tenth of the messages shows the exchange's clock best; a few wrong stamps are not among so many.
QUICKEST, SAMPLES, LONGEST_AGE = 0.9, 1000, 10.0
SECONDS_BETWEEN_LOOKS, FEW = 0.1, 100
# Seconds for which the clock is believed to go on while no message comes: a recording that has ended stands still.
LONGEST_SILENCE = 60.0
# So many messages together are believed when they are further on than the others, as after a jam.
AGREEING = 3


class ExchangeTime:
    """Milliseconds of the exchange at a moment of the steady clock (seconds); None before its first message.

    To be fed by one thread and read by any.
    """

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed
        self._samples: deque[tuple[float, float]] = deque(maxlen=SAMPLES)
        # How far ahead of the steady clock, at which speed and when: one value, so that no reader sees half a change.
        self._hand: tuple[float, float, float] | None = None
        self._looked_at = 0.0

    def set_speed(self, speed: float) -> None:
        """How many times as fast as life the exchange's clock goes; what was told at another speed is forgotten."""
        if speed != self.speed:
            self.speed = speed
            self._samples.clear()
            self._hand = None

    def note(self, event_ms: int, at: float) -> None:
        """A message stamped `event_ms` was there at `at`."""
        self._samples.append((at, event_ms - at * 1000 * self.speed))
        if len(self._samples) < FEW or at >= self._looked_at + SECONDS_BETWEEN_LOOKS:
            self._look(at)

    def now_ms(self, at: float) -> float | None:
        hand = self._hand
        if hand is None:
            return None
        ahead_ms, speed, looked_at = hand
        return ahead_ms + min(at, looked_at + LONGEST_SILENCE) * 1000 * speed

    def closed_until_ms(self, at: float) -> int | None:
        """The close of the latest minute that is over at the exchange."""
        now_ms = self.now_ms(at)
        return None if now_ms is None else int(now_ms) // MINUTE_MS * MINUTE_MS

    def has_come(self, ms: float, at: float) -> bool:
        """Whether this moment is over at the exchange, by its clock or by what a few messages say. For the feeder."""
        now_ms = self.now_ms(at)
        if now_ms is None or ms <= now_ms:
            return True
        ahead_ms = ms - at * 1000 * self.speed
        return sum(sample >= ahead_ms for _, sample in self._samples) >= AGREEING

    def wall_seconds(self, market_ms: float) -> float:
        """How long this much of the exchange's time lasts for us."""
        return market_ms / 1000 / self.speed

    def _look(self, at: float) -> None:
        while self._samples[0][0] < at - LONGEST_AGE:
            self._samples.popleft()
        ordered = sorted(ahead for _, ahead in self._samples)
        self._hand = ordered[int(QUICKEST * (len(ordered) - 1))], self.speed, at
        self._looked_at = at
