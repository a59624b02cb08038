"""The tables in `docs/osc.md`, derived from the controls and from what the parser knows.

`python -m server.serving.osc_tables docs/osc.md` writes them anew; a test holds the page to them.
"""

from __future__ import annotations

import sys
from pathlib import Path

from common.words import number_text
from engine.controls.table import CONTROLS
from engine.controls.values import AUTO, Control
from server.osc.addresses import NEWS, SERVER_WORDS, VERBS

BEGIN, END = "<!-- tables: begin -->\n", "<!-- tables: end -->\n"

_STREAM = "/perpetuo/STREAM"
_SEVERAL = {
    "mix": "name weight name weight …",
    "per_field": "number, field number field number …",
    "programs": "part program part program …",
    "by_part": "number, or part number part number …",
    "scale": "twelve weights, C first",
    "parts": "part part …",
}
_NEWS_OF_THE_SERVER = ("pong", "error")


def tables() -> str:
    """What stands between the marks."""
    steering = [f"| `{_STREAM}/{c.name}` | {_arguments(c)} | {c.help} |" for c in CONTROLS]
    verbs = [f"| `{_STREAM}/{verb}` | | {text} |" for verb, text in VERBS.items()]
    verbs += [
        f"| `{_STREAM}/preset` | name | Set every control as the preset has it. |",
        f"| `{_STREAM}/seed` | whole number | Begin anew with another seed. |",
        f"| `{_STREAM}/load` | name | Begin anew with another model. |",
        f"| `{_STREAM}/state` | | Answered by `playing` or `stopped`. |",
        f"| `{_STREAM}/subscribe` | [host] port, what … | See below. |",
        f"| `{_STREAM}/unsubscribe` | [host] port | See below. |",
    ]
    server = [f"| `/perpetuo/{word}` | | {text} |" for word, text in SERVER_WORDS.items()]
    news = [f"| `{_place(word)}/{word}` | {values} |" for word, values in NEWS.items()]
    parts = (
        ("Controls", "address | arguments | what it does", steering),
        ("Transport and the like", "address | arguments | what it does", verbs),
        ("The server", "address | arguments | what it does", server),
        ("What is sent to you", "address | arguments", news),
    )
    return "\n".join(f"### {title}\n\n{_table(head, rows)}" for title, head, rows in parts)


def _place(word: str) -> str:
    return "/perpetuo" if word in _NEWS_OF_THE_SERVER else _STREAM


def _table(head: str, rows: list[str]) -> str:
    line = "|".join("---" for _ in head.split("|"))
    return f"| {head} |\n|{line}|\n" + "\n".join(rows) + "\n"


def _arguments(control: Control) -> str:
    kind = control.kind.name
    if control.choices:
        words = ", ".join(c if isinstance(c, str) else number_text(c) for c in control.choices)
    elif kind in ("number", "integer"):
        words = f"{number_text(control.low)} … {number_text(control.high)} {control.unit}".strip()
    else:
        words = _SEVERAL.get(kind, control.kind.form(control))
    return f"{words}, or `{AUTO}`" if control.is_open else words


def renewed(page: str) -> str:
    """The page with its tables as they ought to be."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{tables()}\n{END}{after}"


if __name__ == "__main__":
    place = Path(sys.argv[1])
    place.write_text(renewed(place.read_text("utf-8")), "utf-8")
