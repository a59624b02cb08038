"""What a model takes over from what it was made of: licences, credits and sources.

A training that begins with the weights of a bundle keeps the bundle's own account of itself in
every checkpoint, and a card is put together here alone, so no way leads past it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from common.errors import ConfigError, PerpetuoError
from engine.library.loading import load_network
from engine.library.models import model_file
from engine.network.bundle import Specification
from export.heritage.licences import NOT_STATED, followers, known, may_follow, strictest

Card = dict[str, Any]


class Demand(NamedTuple):
    """A licence that whatever is made has to follow, and whose it is."""

    licence: str
    whose: str
    of_music: bool


def heritage_of(specification: Specification) -> Card:
    """What a bundle hands on to whatever begins with its weights."""
    card = specification.card
    return {
        "name": specification.name,
        "licence": _text(card.get("licence")),
        "licences": [text for text in _table(card.get("licences")) if known(text)],
        "credits": _texts(card.get("credits")),
        "sources": _tables(card.get("sources")),
        "begun_with": _tables(card.get("begun_with")),
        "not_known": _texts(card.get("not_known")),
    }


def heritage_in(saved: Card) -> Card | None:
    """What a checkpoint took over from the model with whose weights its run began; None if it
    began with none. A checkpoint of before only names that model: it is looked at again, and if it
    is gone, its name is all that is handed on (see `card_of`)."""
    heritage: Card | None = saved.get("start")
    if "start" in saved and (heritage is None or "file" not in heritage):
        return heritage
    start = heritage["file"] if heritage else saved["config"].get("start")
    if not start:
        return None
    try:
        return heritage_of(load_network(model_file(start)).specification)
    except PerpetuoError:
        return {"file": start}


def card_of(own: Card, start: Card | None, given: Card) -> Card:
    """The card of a model: `own` is what its data and training say, `start` what it inherits,
    `given` what its maker adds. ConfigError if the maker's licence may not follow."""
    if start and "file" in start:
        raise ConfigError(
            f"this training began with {start['file']}, which cannot be read any more, so the "
            "licence that goes on is not known: put that model back where it was"
        )
    _check_given(given)
    card = {**own, **given}
    card["credits"] = _joined(_texts(given.get("credits")), _texts(own.get("credits")))
    demands, unclear = _of_music(_table(own.get("licences")), _table(given.get("licence_names")))
    if "licences" in own:
        card["licences"] = own["licences"]
    card.pop("begun_with", None)
    if start:
        card |= _with_start(card, start)
        demands += [demand for one in card["begun_with"] for demand in _of_ancestor(one)]
    licence = _text(card.get("licence"))
    for demand in demands if licence else ():
        _refuse_laxer(licence, demand)
    # Music of which nothing is known makes no licence; weights hand theirs on all the same.
    if not licence and (start or not unclear):
        licence = strictest(demand.licence for demand in demands) or ""
    not_known = _not_known_of(start) + unclear
    if demands and not licence:
        not_known.append("a licence that may follow all of those it was made from")
    card |= {"licence": licence, "not_known": not_known}
    empty = {"licence": "", "not_known": []}
    return {key: value for key, value in card.items() if key not in empty or value != empty[key]}


def _with_start(card: Card, start: Card) -> Card:
    sources = _tables(card.get("sources"))
    ancestor = {key: start[key] for key in ("name", "licence", "licences")}
    return {
        "credits": _joined(card["credits"], start["credits"]),
        "sources": sources + [source for source in start["sources"] if source not in sources],
        "begun_with": [ancestor, *start["begun_with"]],
    }


def _not_known_of(start: Card | None) -> list[str]:
    if not start:
        return []
    name = start["name"]
    own = [] if start["licence"] else [f"the licence of {name}, whose weights it began with"]
    return own + [text if " (by way of " in text else f"{text} (by way of {name})"
                  for text in start["not_known"]]  # fmt: skip


def _of_ancestor(ancestor: Card) -> list[Demand]:
    whose = f"{ancestor.get('name')}, whose weights this training began with"
    licences = _joined([_text(ancestor.get("licence"))], _texts(ancestor.get("licences")))
    return [Demand(text, whose, of_music=False) for text in licences if text]


def _of_music(licences: dict[str, Any], names: dict[str, Any]) -> tuple[list[Demand], list[str]]:
    """What the music asks for, and what is not known of it. `names` says which licence a text of
    the manifest stands for, where that is no licence's name."""
    demands, unclear = [], []
    for text, notes in licences.items():
        name = _text(names.get(text)) or text
        if name.casefold() == NOT_STATED:
            called = "" if text.casefold() == NOT_STATED else f", called '{text}'"
            unclear.append(f"the licence of {notes:,} notes of its music{called}")
            continue
        demands.append(Demand(name, "music that it learned from", of_music=True))
    if not licences:
        unclear.append("the licences of its music")
    return demands, unclear


def _refuse_laxer(licence: str, demand: Demand) -> None:
    if may_follow(licence, demand.licence):
        return
    if known(demand.licence) and known(licence):
        raise ConfigError(
            f"licence '{licence}' may not follow '{demand.licence}', the licence of "
            f"{demand.whose}: name one that may ({followers(demand.licence)}), or leave 'licence' "
            "out of the card to inherit it"
        )
    advice = "leave 'licence' out of the card to inherit what can be inherited"
    if demand.of_music and not known(demand.licence):
        advice = (
            f'say in the card what that stands for, under [licence_names]: "{demand.licence}" = '
            f'"a licence by its name, or {NOT_STATED}"'
        )
    raise ConfigError(
        f"whether licence '{licence}' may follow '{demand.licence}', the licence of "
        f"{demand.whose}, is not known here: name {followers(demand.licence)}, or {advice}"
    )


def _check_given(given: Card) -> None:
    """The keys of a card that mean something here must be of the kind that they are read as."""
    if not isinstance(given.get("licence", ""), str):
        raise ConfigError('card: licence must be a text such as "CC BY-SA 4.0"')
    if not _is_list(given.get("credits", []), str):
        raise ConfigError("card: credits must be a list of names")
    if not _is_list(given.get("sources", []), dict):
        raise ConfigError("card: sources must be tables, each under [[sources]]")
    if not isinstance(given.get("licence_names", {}), dict):
        raise ConfigError("card: licence_names must be a table of texts and licences")


def _is_list(value: object, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(item, kind) for item in value)


# Cards of bundles may come from anybody: what is of another kind than it should be is left out.
def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _texts(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _table(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, dict) else {}


def _tables(value: object) -> list[Card]:
    return (
        [dict(item) for item in value if isinstance(item, dict)] if isinstance(value, list) else []
    )


def _joined(*lists: Iterable[str]) -> list[str]:
    """Each once, in the order in which they come."""
    return list(dict.fromkeys(item for items in lists for item in items))
