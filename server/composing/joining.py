"""Joining an ensemble as an order says: anew, with a prompt, or from where a stream was."""

from __future__ import annotations

from engine.composer import Composer
from engine.control_log import Change
from engine.control_prompt import Prompt
from engine.controls import Controls
from engine.errors import MidiError, SnapshotError
from engine.files import SNAPSHOT, read_bytes
from engine.primer import Primer, primer_of
from engine.runtime import Pool
from engine.snapshot import restore
from server.composing.messages import Join, Resume
from server.composing.shelf import Choir

# A first bar of its own choice is due after so long, and the time that so many steps take.
LEAD, LEAD_STEPS = 250_000, 40
STEPS_A_BAR = 20


def joined(order: Join, choir: Choir, now: int) -> Controls:
    """Have a stream begin, or go on, among those of its model; the controls that it has then."""
    if order.resume is not None:
        return _resumed(order, order.resume, choir, now)
    controls, primer = _opening(order, choir)
    due = order.due or now + _lead(choir, LEAD_STEPS)
    composer = choir.ensemble.join(
        order.stream, order.seed, due, controls, number=order.number, primer=primer
    )
    return composer.controls


def _resumed(order: Join, resume: Resume, choir: Choir, now: int) -> Controls:
    network = choir.network
    data = read_bytes(resume.snapshot, SNAPSHOT) if resume.snapshot else b""
    start = 0

    def composer_on(pool: Pool) -> Composer:
        nonlocal start
        if data:
            composer = restore(data, network, pool)
            if composer.next_bar < resume.kept:
                composer.close()
                raise SnapshotError(
                    f"the snapshot is of bar {composer.next_bar}, and bar {resume.kept} was noted:"
                    " what was changed between them is not known"
                )
        else:
            controls, primer = _opening(order, choir)
            composer = Composer(network, pool, order.seed, order.number, controls, primer)
        start = composer.next_bar
        return composer

    controls = choir.ensemble.resume(
        order.stream,
        composer_on,
        resume.bar,
        resume.due or now,
        tuple(Change(c.bar, c.set, c.plan, c.to, c.tick) for c in resume.changes),
        resume.revisions,
    )
    if not resume.due:
        steps = LEAD_STEPS + STEPS_A_BAR * max(resume.bar - start, 0)
        choir.ensemble.shift(order.stream, start, _lead(choir, steps))
    return controls


def _opening(order: Join, choir: Choir) -> tuple[Controls, Primer | None]:
    """The controls that a stream begins with, what its prompt lends included, and the primer."""
    controls = Controls.from_dict(order.controls)
    if order.prompt is None:
        return controls, None
    try:
        score = Prompt.read(order.prompt).score()
    except ValueError as error:
        raise MidiError(f"the prompt is not understood: {error}") from None
    primer, suggested = primer_of(score, choir.network.specification)
    free = {name: value for name, value in suggested.items() if name not in order.controls}
    return controls.with_values(free), primer


def _lead(choir: Choir, steps: int) -> int:
    """Microseconds that the composing of a new stream's first bars may take."""
    rows = min(len(choir.ensemble.members) + 1, choir.ensemble.seats)
    return LEAD + round(1e6 * steps * choir.pace.seconds(rows))
