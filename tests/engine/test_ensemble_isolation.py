"""A stream that cannot be composed on leaves alone: all others sound as if it had never been."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from engine.composing.composer import Composer
from engine.ensemble.ensemble import Ensemble
from engine.ensemble.stream_clock import StreamClock
from engine.music.bars import Bar
from engine.network.runtime import Pool
from tests.bundles import NETWORKS, tiny

SECOND = 1_000_000
STREAMS, CULPRIT, BARS = 5, 2, 8


class BugError(Exception):
    """As unexpected as any."""


def bug(*args: Any, **values: Any) -> Any:
    raise BugError("a bug")


def planning(composer: Composer) -> None:
    composer.plan_ahead.plan = bug  # type: ignore[method-assign]


def preparing(composer: Composer) -> None:
    composer.prepare = bug  # type: ignore[method-assign]


def absorbing(composer: Composer) -> None:
    composer.absorb = bug  # type: ignore[method-assign]


def a_bar_line(composer: Composer) -> None:
    composer._close_bar = bug  # type: ignore[method-assign]


def an_input_that_is_refused(composer: Composer) -> None:
    prepare = composer.prepare

    def spoilt() -> None:
        prepare()
        composer.pool.inputs[composer.row] = 1 << 40

    composer.prepare = spoilt  # type: ignore[method-assign]


def half_preparing(composer: Composer) -> None:
    def spoilt() -> None:
        composer.pool.inputs[composer.row] = 1 << 40
        raise BugError("a bug")

    composer.prepare = spoilt  # type: ignore[method-assign]


FAULTS = (half_preparing, planning, preparing, absorbing, a_bar_line, an_input_that_is_refused)


def alone(kind: str, stream: int) -> list[Bar]:
    composer = Composer(tiny(kind), tiny(kind).pool(1), 10 + stream, stream)
    found = []
    for index in range(BARS):
        composer.commit(index)
        found.append(composer.compose_bar())
    return found


def composed(ensemble: Ensemble, spoil: Callable[[Ensemble], None]) -> dict[int, list[Bar]]:
    """The first bars of each stream; after some steps something is spoilt."""
    found: dict[int, list[Bar]] = {}
    now = steps = 0
    while any(len(found.get(stream, ())) < BARS for stream in ensemble.members):
        done, count = ensemble.step(now)
        for one in done:
            found.setdefault(one.stream, []).append(one.bar)
        steps += count > 0
        if steps == 6 and count:
            spoil(ensemble)
        if not (done or count):
            now += SECOND
    return {stream: bars[:BARS] for stream, bars in found.items()}


def of(kind: str, rows: int) -> Ensemble:
    ensemble = Ensemble(tiny(kind), rows=rows)
    for stream in range(STREAMS):
        ensemble.join(stream, 10 + stream, start=0)
    return ensemble


def check_others(ensemble: Ensemble, kind: str, found: dict[int, list[Bar]]) -> None:
    (failure,) = ensemble.take_failed()
    assert failure.member.stream == CULPRIT
    assert ensemble.take_failed() == []
    assert CULPRIT not in ensemble.members
    for stream in range(STREAMS):
        if stream != CULPRIT:
            assert found[stream] == alone(kind, stream), f"stream {stream}"


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("rows", [STREAMS, 3])
@pytest.mark.parametrize("kind", NETWORKS)
def test_all_others_are_composed_bit_for_bit_as_without_it(
    kind: str, rows: int, fault: Callable[[Composer], None]
) -> None:
    ensemble = of(kind, rows)
    found = composed(ensemble, lambda ensemble: fault(ensemble.members[CULPRIT].composer))
    check_others(ensemble, kind, found)
    ensemble.join(9, 10, start=0, number=0)  # its place can be taken
    again = composed(ensemble, lambda ensemble: None)
    assert again[9] == alone(kind, 0)


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_call_that_fails_when_every_state_was_written_is_done_again_without_a_trace(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = tiny(kind).session
    call, run = session.run_with_iobinding, Pool.run
    asked: list[list[int]] = []
    culprits: list[StreamClock] = []
    failures = 0

    def noting(pool: Pool, rows: list[int]) -> int:
        asked.append(rows)
        return run(pool, rows)

    def failing(binding: Any, options: Any) -> None:
        nonlocal failures
        call(binding, options)
        for member in culprits:
            if CULPRIT in ensemble.members and member.composer.row in asked[-1]:
                failures += 1
                raise BugError("too late")

    def spoil(ensemble: Ensemble) -> None:
        culprits.append(ensemble.members[CULPRIT])

    monkeypatch.setattr(Pool, "run", noting)
    ensemble = of(kind, STREAMS)
    monkeypatch.setattr(session, "run_with_iobinding", failing)
    found = composed(ensemble, spoil)
    monkeypatch.undo()
    assert failures == 2  # together, and alone
    check_others(ensemble, kind, found)


@pytest.mark.parametrize("kind", NETWORKS)
def test_what_fails_for_all_is_no_stream_s_fault(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensemble = of(kind, STREAMS)
    monkeypatch.setattr(tiny(kind).session, "run_with_iobinding", bug)
    with pytest.raises(BugError):
        ensemble.step(0)
    assert len(ensemble.members) == STREAMS
    assert ensemble.take_failed() == []
