"""How late things were done, in constant memory."""

from __future__ import annotations

_FINE = 4  # bits: 16 classes an octave, so a percentile is true to 6 %
_CLASSES = 64 << _FINE


class Lateness:
    """A histogram of microseconds. One thread records; any may read."""

    def __init__(self) -> None:
        self.count = self.total = self.max = 0
        self._classes = [0] * _CLASSES

    def record(self, microseconds: int) -> None:
        late = max(0, microseconds)
        self.count += 1
        self.total += late
        self.max = max(self.max, late)
        self._classes[_class_of(late)] += 1

    def percentile(self, percent: float) -> int:
        """The upper bound of the class in which it lies, never more than the maximum; 0 if nothing
        was recorded."""
        rank = self.count * percent / 100
        seen = 0
        for number, count in enumerate(self._classes):
            seen += count
            if count and seen >= rank:
                return min(self.max, _above(number) - 1)
        return 0


def _class_of(value: int) -> int:
    """Exact below 16, then sixteen classes an octave."""
    octave = max(0, value.bit_length() - _FINE - 1)
    return min(_CLASSES - 1, (octave << _FINE) + (value >> octave))


def _above(number: int) -> int:
    """The first value of the class after this one."""
    following = number + 1
    octave = max(0, (following >> _FINE) - 1)
    return (following - (octave << _FINE)) << octave
