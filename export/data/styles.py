"""Style tags: spelling them one way, merging what means the same, gathering what is rare."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from common.errors import DatasetError
from common.files import STYLE_TABLE
from common.tables import read_toml

OTHER = "other"
MAX_STYLES = 40
RARE_NOTES = 20_000
# Of a small collection, a style may be this share and still stand for itself.
RARE_SHARE = 0.02

# Tags as `slug` spells them.
SYNONYMS = {
    "": OTHER,
    "unknown": OTHER,
    "misc": OTHER,
    "romanticism": "romantic",
    "late-romantic": "romantic",
    "symphonic": "romantic",
    "classicism": "classical",
    "sacred-anonymous": "sacred",
    "chorales": "chorale",
    "hymns": "hymn",
    "gospel": "hymn",
    "medieval": "renaissance",
    "impressionism": "impressionist",
    "minimalism": "modern",
    "contemporary": "modern",
    "20th-century": "modern",
    "pop-leadsheet": "popular",
    "popular-dance": "popular",
    "pop": "popular",
    "song": "popular",
    "strophic-with-chorus": "popular",
    "traditional": "folk",
    "rag": "ragtime",
    "video-game": "game",
    "games": "game",
}


def slug(tag: str) -> str:
    """ "Popular / Dance" → "popular-dance": lower case, words joined by hyphens."""
    return re.sub(r"[\W_]+", "-", tag.strip().lower()).strip("-")


def clean(tag: str, mapping: Mapping[str, str], dataset: str = "") -> str:
    """The style that a tag stands for; `mapping` goes before the synonyms known here, and what it
    says of the tag of one dataset, "DATASET/TAG", before what it says of the tag."""
    name = slug(tag)
    if dataset and (own := slug(f"{dataset}/{tag}")) in mapping:
        return slug(mapping[own]) or OTHER
    if name in mapping:
        return slug(mapping[name]) or OTHER
    return SYNONYMS.get(name, name)


def read_mapping(texts: Sequence[str]) -> dict[str, str]:
    """What `--styles` asks for: "old=new", or a TOML file of old = "new", new = ["old", …]."""
    mapping: dict[str, str] = {}
    for text in texts:
        old, equals, new = text.partition("=")
        if equals and not text.endswith(".toml"):
            if not slug(new):
                raise DatasetError(f"--styles {text}: the new name is empty, write old=new")
            mapping[slug(old)] = slug(new)
        else:
            mapping |= _from_toml(Path(text))
    return mapping


def _from_toml(path: Path) -> dict[str, str]:
    if not path.exists():
        raise DatasetError(f"--styles {path} is neither old=new nor a TOML file that exists")
    table = read_toml(path, STYLE_TABLE)
    mapping: dict[str, str] = {}
    for key, value in table.items():
        if isinstance(value, str):
            mapping[slug(key)] = slug(value)
        elif isinstance(value, list) and all(isinstance(old, str) for old in value):
            mapping |= {slug(old): slug(key) for old in value}
        else:
            raise DatasetError(
                f'the style table {path}: {key} must be "new name" or a list of old names'
            )
    return mapping


def gather_rare(styles: Sequence[str], notes: Sequence[int], least: int | None) -> list[str]:
    """Each piece's style, those with fewer than `least` notes in all renamed to "other".

    Without `least`: 20,000 notes, or 2 % where the whole collection is small.
    """
    totals: dict[str, int] = {}
    for style, count in zip(styles, notes, strict=True):
        totals[style] = totals.get(style, 0) + count
    if least is None:
        least = min(RARE_NOTES, int(RARE_SHARE * sum(totals.values())))
    largest = sorted((s for s in totals if s != OTHER), key=lambda s: (-totals[s], s))
    kept = {style for style in largest[: MAX_STYLES - 1] if totals[style] >= least}
    return [style if style in kept else OTHER for style in styles]
