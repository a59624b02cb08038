"""Joining an ensemble as an order says: anew, with a prompt, or from where a stream was."""

from __future__ import annotations

from common.errors import MidiError, SnapshotError
from common.files import SNAPSHOT, read_bytes
from engine.composing.composer import Composer
from engine.composing.following import refuse_unfollowed, unfollowed, without_unfollowed
from engine.composing.primer import Primer, primer_of
from engine.composing.snapshot import restore
from engine.controls.controls import Controls
from engine.files.control_log import LoggedChange
from engine.files.prompt import Prompt
from engine.network.runtime import Pool
from server.composing.messages import JoinOrder, ResumePoint
from server.composing.models import LoadedModel

# A first bar of its own choice is due after so long, and the time that so many steps take.
LEAD, LEAD_STEPS = 250_000, 40
STEPS_A_BAR = 20


def joined(
    order: JoinOrder, loaded_model: LoadedModel, now: int
) -> tuple[Controls, tuple[str, ...]]:
    """Have a stream begin, or go on, among those of its model; the controls that it has then, and
    the names of those that were left out because the model does not follow them. ControlError if
    they are among those that it must follow."""
    network = loaded_model.network
    asked = Controls.from_dict(order.controls)
    refuse_unfollowed(network.specification, network.planner_table, asked, order.asked)
    if order.resume is not None:
        return _resumed(order, order.resume, loaded_model, now), ()
    followed, left_out = without_unfollowed(network.specification, asked)
    controls, primer = _opening(order, followed, loaded_model)
    due = order.due or now + _lead(loaded_model, LEAD_STEPS)
    composer = loaded_model.ensemble.join(
        order.stream, order.seed, due, controls, number=order.number, primer=primer
    )
    return composer.controls, left_out


def _resumed(
    order: JoinOrder, resume: ResumePoint, loaded_model: LoadedModel, now: int
) -> Controls:
    network = loaded_model.network
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
            begun_with = Controls.from_dict(order.controls)
            controls, primer = _opening(order, begun_with, loaded_model)
            composer = Composer(network, pool, order.seed, order.number, controls, primer)
        start = composer.next_bar
        return composer

    controls = loaded_model.ensemble.resume(
        order.stream,
        composer_on,
        resume.bar,
        resume.due or now,
        tuple(LoggedChange(c.bar, c.set, c.plan, c.to, c.tick) for c in resume.changes),
        resume.revisions,
    )
    if not resume.due:
        steps = LEAD_STEPS + STEPS_A_BAR * max(resume.bar - start, 0)
        loaded_model.ensemble.shift(order.stream, start, _lead(loaded_model, steps))
    return controls


def _opening(
    order: JoinOrder, controls: Controls, loaded_model: LoadedModel
) -> tuple[Controls, Primer | None]:
    """The controls that a stream begins with, what its prompt lends included, and the primer."""
    if order.prompt is None:
        return controls, None
    try:
        score = Prompt.read(order.prompt).score()
    except ValueError as error:
        raise MidiError(f"the prompt is not understood: {error}") from None
    spec = loaded_model.network.specification
    primer, suggested = primer_of(score, spec)
    taken = {*order.controls, *unfollowed(spec)}
    free = {name: value for name, value in suggested.items() if name not in taken}
    return controls.with_values(free), primer


def _lead(loaded_model: LoadedModel, steps: int) -> int:
    """Microseconds that the composing of a new stream's first bars may take."""
    rows = min(len(loaded_model.ensemble.members) + 1, loaded_model.ensemble.rows)
    return LEAD + round(1e6 * steps * loaded_model.pace.seconds(rows))
