"""The table of metrics in docs/serving.md is what `/metrics` says."""

from __future__ import annotations

from pathlib import Path

from server.base.metrics import exposition
from server.serving.metrics_doc import BEGIN, END, metrics, written_into

PAGE = Path(__file__).parents[2] / "docs" / "serving.md"


def test_the_page_has_the_table_of_metrics() -> None:
    page = PAGE.read_text("utf-8")
    assert page.count(BEGIN) == page.count(END) == 1
    assert page == written_into(page), "run: python -m server.serving.metrics_doc docs/serving.md"


def test_every_metric_has_a_name_of_its_own_and_a_sentence() -> None:
    rows = metrics()
    assert len({row.name for row in rows}) == len(rows)
    for row in rows:
        assert row.name.startswith("perpetuo_"), row
        assert row.help.endswith("."), row
        assert row.name.endswith("_total") == (row.kind == "counter"), row


def test_a_server_where_nothing_has_happened_can_be_asked() -> None:
    lines = exposition(metrics()).splitlines()
    told = {line.split()[2] for line in lines if line.startswith("# HELP")}
    assert told == {row.name for row in metrics()}
