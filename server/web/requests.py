"""What clients ask of the house, carried out one after the other for each session."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from engine.control_prompt import Prompt
from engine.control_values import Json
from engine.controls import nearest
from engine.errors import (
    BundleError,
    CapacityError,
    ControlError,
    PerpetuoError,
    PlanError,
    StreamError,
)
from server.house.events import Steered
from server.web.incoming import (
    AnyRequest,
    ChoosePreset,
    Close,
    Get,
    GivePrompt,
    Listen,
    LoadModel,
    Open,
    PromptMusic,
    Reseed,
    Steer,
    Transport,
    Unlisten,
)
from server.web.outgoing import Ack, Presets, Stations
from server.web.session import Session
from server.web.sessions import Sessions
from server.web.telling import preset_row, state_of

if TYPE_CHECKING:
    from server.house.stream import Stream

log = logging.getLogger("perpetuo.web")


class Refusal(PerpetuoError):
    """A request is not carried out; `code` is one of `ERRORS`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


async def carry_out(sessions: Sessions, session: Session, request: AnyRequest) -> None:
    """Do what was asked and answer: always with exactly one message that has the request's id."""
    try:
        await _do(sessions, session, request)
    except PerpetuoError as error:
        session.refuse(request.id, _code_of(error), str(error))
    except Exception:
        log.exception("a %s of %s failed", type(request).__name__, session.name)
        words = "the server failed at this: its log tells why"
        session.refuse(request.id, "internal", words)


def _code_of(error: PerpetuoError) -> str:
    match error:
        case Refusal(code=code):
            return str(code)
        case ControlError() | PlanError():
            return "bad_control"
        case CapacityError():
            return "capacity"
        case BundleError():
            return "bad_model"
    return "refused"


async def _do(sessions: Sessions, session: Session, request: AnyRequest) -> None:
    match request:
        case Open():
            await _open(sessions, session, request)
        case Get():
            _get(sessions, session, request)
        case Listen(stream=name):
            stream = _found(sessions, name)
            session.listen(stream)
            _acknowledge(session, request, name)
            session.tell_all(stream, request.past)
        case Unlisten(stream=name):
            if name in session.listening:
                session.unlisten(session.listening[name])
            _acknowledge(session, request, name)
        case _:
            stream = _steerable(sessions, session, request.stream)
            steered = await _steer(sessions, session, stream, request)
            _acknowledge(session, request, stream.name, steered)


def _found(sessions: Sessions, name: str) -> Stream:
    try:
        return sessions.house.find(name)
    except StreamError as error:
        raise Refusal("unknown_stream", str(error)) from error


def _steerable(sessions: Sessions, session: Session, name: str) -> Stream:
    stream = _found(sessions, name)
    if not sessions.may_steer(session, stream):
        whose = "stations may not be steered from here" if stream.is_station else "it is not yours"
        raise Refusal("unauthorised", f"'{name}' cannot be changed: {whose}")
    return stream


def _acknowledge(
    session: Session, request: AnyRequest, stream: str, steered: Steered | None = None
) -> None:
    bar, due = (steered.bar, steered.due) if steered else (None, None)
    session.tell(Ack(id=request.id, stream=stream, bar=bar, due=due))


def _get(sessions: Sessions, session: Session, request: Get) -> None:
    house = sessions.house
    match request.what:
        case "stations":
            session.tell(Stations(id=request.id, stations=sessions.station_rows()))
        case "presets":
            presets = tuple(map(preset_row, house.presets.values()))
            session.tell(Presets(id=request.id, presets=presets))
        case "state":
            stream = _found(sessions, request.stream)
            session.tell(state_of(stream, house.now(), 0, request.id))


async def _open(sessions: Sessions, session: Session, request: Open) -> None:
    most = sessions.settings.max_own_streams
    if sessions.own_streams(session.address) >= most:
        raise Refusal(
            "capacity", f"your address has {most} own streams already: close one of them first"
        )
    prompt = _prompt(request.prompt) if request.prompt else None
    _known_preset(sessions, request.preset)
    session.opening += 1
    try:
        stream = await sessions.house.open(
            preset=request.preset,
            seed=request.seed,
            controls=request.controls,
            prompt=prompt,
            owner=session.name,
        )
    finally:
        session.opening -= 1
    session.own.add(stream.name)
    session.listen(stream)
    _acknowledge(session, request, stream.name)
    session.tell_all(stream)


async def _steer(
    sessions: Sessions, session: Session, stream: Stream, request: AnyRequest
) -> Steered | None:
    house, by = sessions.house, session.name
    match request:
        case Steer(controls=controls, plan=plan):
            if not controls and not plan:
                raise Refusal("bad_message", "nothing is steered: give controls or plan")
            return await house.change(stream, controls, plan, by=by)
        case ChoosePreset(name=name):
            _known_preset(sessions, name)
            return await house.apply_preset(stream, name, by=by)
        case Transport(action="start"):
            await house.start(stream, by=by)
        case Transport(action="stop"):
            await house.stop(stream, by=by)
        case Transport(action="continue"):
            await house.go_on(stream, by=by)
        case Transport():
            house.panic(stream, by=by)
        case Reseed(seed=seed):
            await house.reseed(stream, seed, by=by)
        case LoadModel(model=model):
            # Names alone: a client must not make the server read any file it likes.
            models = sessions.models()
            if model not in models:
                advice = nearest(model, models)
                raise Refusal("bad_model", f"there is no model '{model[:40]}': {advice}")
            await house.load(stream, models[model], by=by)
        case GivePrompt(prompt=music):
            await house.prompt(stream, _prompt(music), by=by)
        case Close():
            _only_own(stream)
            await house.close(stream, f"closed by {by}")
    return None


def _only_own(stream: Stream) -> None:
    if stream.is_station:
        raise Refusal("refused", f"'{stream.name}' is a station: only own streams can be closed")


def _known_preset(sessions: Sessions, name: str | None) -> None:
    if name is not None and name not in sessions.house.presets:
        advice = nearest(name, sessions.house.presets)
        raise Refusal("bad_control", f"there is no preset '{name[:40]}': {advice}")


def _prompt(music: PromptMusic) -> Prompt:
    notes: list[Json] = [
        [tick, length, pitch, velocity, part - 1]
        for part, pitch, velocity, tick, length in sorted(music.notes, key=_note_order)
    ]
    raw: dict[str, Json] = {
        "notes": notes,
        "metres": [[0, music.metre]],
        "tempos": [[0, music.tempo]],
        "programs": list(music.programs),
    }
    try:
        return Prompt.read(raw)
    except ValueError as error:
        raise Refusal("bad_prompt", str(error)) from error


def _note_order(note: tuple[int, int, int, int, int]) -> tuple[int, int, int]:
    """As `engine.score.note_order` has it."""
    part, pitch, _, tick, _ = note
    return tick, part, -pitch
