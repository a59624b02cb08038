"""The files of deploy/ and docs/months.md name what there is."""

from __future__ import annotations

import json
import re
import shlex
from configparser import ConfigParser
from importlib import metadata
from pathlib import Path

import pytest

from server.commands.cli import Parser
from server.configuration.loading import load
from server.configuration.settings import Configuration
from server.serving import dashboard
from server.serving.metrics_doc import metrics

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
KNOWN = {row.name: row for row in metrics()}
NAME = re.compile(r"\b(?:perpetuo|up)_?[a-z_]*\b(?=[{\[\s)])")


def named(expression: str) -> set[str]:
    """The metrics of an expression, Prometheus's own aside."""
    return {name for name in NAME.findall(expression + " ") if name != "up"}


def served(words: list[str]) -> None:
    """Words after `perpetuo` on a command line must be understood."""
    verb, *rest = words
    command = metadata.entry_points(group="perpetuo.commands")[verb].load()
    parser = Parser(f"perpetuo {verb}", command.HELP, command.EPILOG)
    command.add_arguments(parser)
    parser.parse_strictly(rest)


def test_the_dashboard_is_as_it_was_made() -> None:
    shipped = (DEPLOY / "grafana.json").read_text("utf-8")
    assert shipped == dashboard.text(), (
        "run: python -m server.serving.dashboard deploy/grafana.json"
    )


def test_every_metric_of_the_dashboard_exists_and_has_the_label_that_names_its_lines() -> None:
    shown: set[str] = set()
    for panel in json.loads(dashboard.text())["panels"]:
        for target in panel.get("targets", ()):
            (name,) = named(target["expr"])
            assert name in KNOWN, panel["title"]
            labels = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            assert labels <= {KNOWN[name].label, "instance"}, panel["title"]
            assert ("rate(" in target["expr"]) <= (KNOWN[name].kind == "counter"), panel["title"]
            shown.add(name)
    assert len(shown) > 30


def test_panels_lie_side_by_side() -> None:
    panels = json.loads(dashboard.text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        across = range(place["x"], place["x"] + place["w"])
        cells = {(x, y) for x in across for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken, panel["title"]
        assert max(across) < dashboard.WIDTH
        taken |= cells


def test_every_metric_of_the_alerts_exists() -> None:
    text = (DEPLOY / "alerts.yml").read_text("utf-8")
    expressions = re.findall(r"expr: (.*)", text)
    found = set[str]().union(*map(named, expressions))
    assert len(found) >= 6
    assert found <= set(KNOWN)
    labels = set(re.findall(r"\$labels\.(\w+)", text))
    assert labels <= {KNOWN[name].label for name in found} | {"instance"}


def test_what_the_service_starts_is_understood() -> None:
    unit = ConfigParser(strict=False, interpolation=None, comment_prefixes=("#",))
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(DEPLOY / "perpetuo.service")
    program, *words = shlex.split(unit["Service"]["ExecStart"])
    assert Path(program).name == "perpetuo"
    served(words)
    months = (ROOT / "docs" / "months.md").read_text("utf-8")
    assert f"{program} serve --check {words[1]}" in months
    assert f"python3 -m venv {Path(program).parents[1]}" in months


def test_what_the_container_holds_is_there_and_is_understood() -> None:
    text = (DEPLOY / "Containerfile").read_text("utf-8")
    for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE):
        for source in sources.split():
            assert (ROOT / source).exists(), source
    entry = re.search(r"^ENTRYPOINT (.+)$", text, re.MULTILINE)
    assert entry is not None
    program, *words = json.loads(entry[1])
    assert program == "perpetuo"
    served(words)
    load(DEPLOY / "container.toml")


@pytest.mark.parametrize("proxy", ["Caddyfile", "nginx.conf", "prometheus.yml"])
def test_others_find_the_server_at_its_port(proxy: str) -> None:
    web = Configuration().web
    assert f"{web.host}:{web.port}" in (DEPLOY / proxy).read_text("utf-8")
