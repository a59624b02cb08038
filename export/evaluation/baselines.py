"""What a network must beat: the unigram and an interpolated Markov model over the same events.

Events are rows [N, E] of small integers, one column a field, 0 for "not known": such targets are
neither learned nor scored. A field may look at the fields that stand before it in the event, and
at its own values in the last three events. These are added one at a time to a growing context:
the event's first field (the part), own values one, two and three events back, then the fields
between, nearest first: of several orders tried on real music the one that costs least. Each
longer context is mixed with the shorter one by Witten-Bell: a context that was followed by T
different values in c places trusts itself c / (c + T).

Nothing is stored but one sorted column at a time, so 14 M events fit in about 1 GB.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.music.measures import Floats, Ints
from export.evaluation.copying import Hashes, mixed

Events = NDArray[np.integer]

ORDER = 3
_VALUE_BITS = 12


@dataclass(frozen=True, slots=True)
class Likelihood:
    """Mean negative log-likelihood in nats. `nats`: by field, over the targets that are known;
    `nats_per_note`: the sum over all known targets by the number of notes. `accuracy`: share of
    known targets that the likeliest value meets, by field; empty if that was not tried."""

    label: str
    notes: int
    nats_per_note: float
    nats: dict[str, float]
    accuracy: dict[str, float]


def likelihood(
    label: str,
    names: tuple[str, ...],
    targets: Events,
    nats: Floats,
    right: Floats | None = None,
) -> Likelihood:
    """Figures from the nats [N, E] of every target and whether the likeliest value met it."""
    known = targets > 0
    number = np.maximum(known.sum(axis=0), 1)
    by_field = np.where(known, nats, 0.0).sum(axis=0)
    hits = np.where(known, right, 0.0).sum(axis=0) / number if right is not None else ()
    return Likelihood(
        label,
        len(targets),
        float(by_field.sum() / max(1, len(targets))),
        {name: float(v) for name, v in zip(names, by_field / number, strict=True)},
        {name: float(share) for name, share in zip(names, hits, strict=False)},
    )


@dataclass(frozen=True, slots=True)
class Corpus:
    """Events of many pieces end to end; `starts` holds the first row of each piece, rising."""

    events: Events
    starts: Ints

    def column(self, field: int, back: int) -> Ints:
        """A field's values so many events back, 0 before the beginning of the piece."""
        values = self.events[:, field].astype(np.int64)
        if back == 0:
            return values
        shifted = np.zeros_like(values)
        shifted[back:] = values[:-back]
        for k in range(back):
            edge = self.starts + k
            shifted[edge[edge < len(shifted)]] = 0
        return shifted


def context_of(field: int, order: int = ORDER) -> tuple[tuple[int, int], ...]:
    """(field, events back) of a field's context, in the order in which they are added."""
    earlier = tuple((other, 0) for other in range(field))
    own = ((field, back) for back in range(1, order + 1))
    return (*earlier[:1], *own, *earlier[:0:-1])


def unigram(
    train: Corpus, test: Corpus, names: tuple[str, ...], sizes: tuple[int, ...]
) -> Likelihood:
    """Every field by its own frequency alone."""
    nats = np.zeros(test.events.shape)
    right = np.zeros(test.events.shape)
    for field, size in enumerate(sizes):
        chances = _frequencies(train, field, size)
        targets = test.column(field, 0)
        nats[:, field] = -np.log(chances[targets])
        right[:, field] = targets == np.argmax(chances[1:]) + 1
    return likelihood("unigram", names, test.events, nats, right)


def markov(
    train: Corpus, test: Corpus, names: tuple[str, ...], sizes: tuple[int, ...], order: int = ORDER
) -> Likelihood:
    """The interpolated model; no accuracy is told."""
    assert max(sizes) <= 1 << _VALUE_BITS, "values must fit beside the hash of their context"
    nats = np.zeros(test.events.shape)
    for field, size in enumerate(sizes):
        nats[:, field] = -np.log(_markov_chances(train, test, field, size, order))
    label = f"Markov, order {order}"
    return likelihood(label, names, test.events, nats)


def _frequencies(train: Corpus, field: int, size: int) -> Floats:
    """Chance of each value, half a count added to all; 0 has no chance of its own, but 1."""
    counts = np.bincount(train.column(field, 0), minlength=size).astype(np.float64) + 0.5
    counts[0] = counts[1:].sum()
    chances: Floats = counts / counts[0]
    return chances


def _markov_chances(train: Corpus, test: Corpus, field: int, size: int, order: int) -> Floats:
    seen_value, value = train.column(field, 0), test.column(field, 0)
    chances = _frequencies(train, field, size)[value]
    known = seen_value > 0
    seen, asked = (np.zeros(len(c.events), np.uint64) for c in (train, test))
    for other, back in context_of(field, order):
        seen = mixed(seen ^ mixed(train.column(other, back)))
        asked = mixed(asked ^ mixed(test.column(other, back)))
        chances = _deeper(seen[known], seen_value[known], asked, value, chances)
    return chances


def _deeper(seen: Hashes, seen_value: Ints, asked: Hashes, value: Ints, shorter: Floats) -> Floats:
    """Chances under a longer context, mixed with those under the shorter one."""
    bits = np.uint64(_VALUE_BITS)
    keys = (seen >> bits << bits) | seen_value.astype(np.uint64)
    keys.sort()
    # distinct[i]: how many different (context, value) pairs stand before place i.
    distinct = np.zeros(len(keys) + 1, np.int32)
    distinct[1:2] = 1
    np.cumsum(keys[1:] != keys[:-1], out=distinct[2:])
    distinct[2:] += 1
    context = asked >> bits << bits
    order = np.argsort(context | value.astype(np.uint64))  # sorted questions walk through memory
    context, exact = context[order], (context | value.astype(np.uint64))[order]
    low = np.searchsorted(keys, context)
    high = np.searchsorted(keys, context | np.uint64((1 << _VALUE_BITS) - 1), side="right")
    hits = np.searchsorted(keys, exact, side="right") - np.searchsorted(keys, exact)
    followers = distinct[high] - distinct[low]
    total = high - low
    chances = shorter.copy()
    mix = (hits + followers * shorter[order]) / np.maximum(total + followers, 1)
    chances[order] = np.where(total > 0, mix, shorter[order])
    return chances
