"""What clients ask of the house, asked one after the other for each session."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from dataclasses import replace
from typing import TYPE_CHECKING

from common.errors import (
    BundleError,
    CapacityError,
    ControlError,
    PerpetuoError,
    PlanError,
    StreamError,
)
from common.words import nearest
from engine.controls.values import Json
from engine.files.prompt import Prompt
from server.house import requests
from server.house.requests import RequestDone
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
from server.web.stream_messages import preset_row, state_of

if TYPE_CHECKING:
    from server.house.stream import Stream

log = logging.getLogger("perpetuo.web")

DONE = RequestDone()


class Refusal(PerpetuoError):
    """A request is not carried out; `code` is one of `ERRORS`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


async def carry_out(
    sessions: Sessions, session: Session, request: AnyRequest
) -> Awaitable[None] | None:
    """Do what was asked and answer: always with exactly one message that has the request's id.

    What steers a stream is handed to the house, in order; the answer comes when that is done. It
    is returned, to be awaited beside what comes next.
    """
    try:
        coming = await _do(sessions, session, request)
    except Exception as error:
        _refuse(session, request, error)
        return None
    return _answer(session, request, *coming) if coming else None


async def _answer(
    session: Session, request: AnyRequest, stream: Stream, coming: Awaitable[RequestDone]
) -> None:
    try:
        carried = await coming
    except Exception as error:
        _refuse(session, request, error)
    else:
        if carried.steered is not None:  # that it was postponed since then has been told
            carried = replace(carried, steered=stream.latest(carried.steered))
        _acknowledge(session, request, stream.name, carried)


def _refuse(session: Session, request: AnyRequest, error: Exception) -> None:
    if isinstance(error, PerpetuoError):
        session.refuse(request.id, _code_of(error), str(error))
        return
    log.error("a %s of %s failed", type(request).__name__, session.name, exc_info=error)
    session.refuse(request.id, "internal", "the server failed at this: its log tells why")


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


async def _do(
    sessions: Sessions, session: Session, request: AnyRequest
) -> tuple[Stream, Awaitable[RequestDone]] | None:
    """What is done at once is answered; else the stream, and what comes of it."""
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
        case Close(stream=name):
            stream = _steerable(sessions, session, name)
            _only_own(stream)
            await sessions.house.close(stream, f"closed by {session.name}")
            _acknowledge(session, request, name)
        case Transport(stream=name, action="panic"):
            sessions.house.panic(_steerable(sessions, session, name), by=session.name)
            _acknowledge(session, request, name)
        case _:
            stream = _steerable(sessions, session, request.stream)
            return stream, sessions.house.steer(stream, _steering(sessions, request, session.name))
    return None


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
    session: Session, request: AnyRequest, stream: str, carried: RequestDone = DONE
) -> None:
    steered = carried.steered
    session.tell(
        Ack(
            id=request.id,
            stream=stream,
            bar=steered.bar if steered else None,
            due=steered.due if steered else None,
            change=steered.change if steered and steered.change else None,
            saved=carried.saved,
        )
    )


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
    if session.is_over:  # whoever asked has left meanwhile: nobody would ever end it
        await sessions.house.close(stream, f"{session.name} has left")
        return
    session.own.add(stream.name)
    session.listen(stream)
    _acknowledge(session, request, stream.name)
    session.tell_all(stream)


def _steering(
    sessions: Sessions,
    request: Steer | ChoosePreset | Transport | Reseed | LoadModel | GivePrompt,
    by: str,
) -> requests.StreamRequest:
    """What is asked of the house."""
    match request:
        case Steer(controls=controls, plan=plan):
            if not controls and not plan:
                raise Refusal("bad_message", "nothing is steered: give controls or plan")
            return requests.ChangeRequest(by=by, controls=controls, plan=plan)
        case ChoosePreset(name=name):
            _known_preset(sessions, name)
            return requests.PresetRequest(by=by, name=name)
        case Transport(action="start"):
            return requests.StartRequest(by=by)
        case Transport(action="stop"):
            return requests.StopRequest(by=by)
        case Transport():
            return requests.ContinueRequest(by=by)
        case Reseed(seed=seed):
            return requests.SeedRequest(by=by, seed=seed)
        case LoadModel(model=model):
            return requests.ModelRequest(by=by, model=model)
        case GivePrompt(prompt=music):
            return requests.PromptRequest(by=by, prompt=_prompt(music))


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
    """As `engine.music.score.note_order` has it."""
    part, pitch, _, tick, _ = note
    return tick, part, -pitch
