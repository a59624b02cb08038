"""How deep content of tables and lists may be: what goes through it by recursion must not fail."""

from __future__ import annotations

from typing import Any

DEEPEST = 32


def shallow(content: Any) -> Any:
    """The content itself; RecursionError if it is nested too deep. It needs no recursion itself:
    a line of TOML such as a.a.a.a is read into any depth."""
    level, depth = _within([content]), 0
    while level:
        level = [inner for outer in level for inner in _within(outer)]
        depth += 1
        if depth > DEEPEST:
            raise RecursionError
    return content


def _within(outer: Any) -> list[Any]:
    """The tables and lists in one."""
    inner = outer.values() if isinstance(outer, dict) else outer
    return [one for one in inner if isinstance(one, (dict, list))]
