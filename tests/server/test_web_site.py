"""What is answered over HTTP, without sockets."""

from __future__ import annotations

import gzip
import json
from dataclasses import fields
from pathlib import Path
from socket import gethostname
from typing import Any

import pytest
from starlette.requests import Request

from common.errors import ConfigError
from common.settings import Source
from engine.controls.reference import describe
from server.base.metrics import COUNTER, Metric, exposition
from server.house.metrics import Counters, house_metrics
from server.house.promises import PromiseCounts
from server.web import site as site_module
from server.web.admission import admits, knows_host, visitor
from server.web.sessions import Sessions
from server.web.settings import WebSettings
from server.web.site import PAGE, Site, page_folder
from tests.server.web_asking import Answered, Asked, scope
from tests.server.web_house import WebHouse

MINE = Source("mine.toml", Path("/etc/music"))

TOKEN = "open-sesame"


def site(house: WebHouse | None = None, page: Path | None = None, **settings: Any) -> Asked:
    house = house or WebHouse()
    sessions = Sessions(house, WebSettings(**settings))  # type: ignore[arg-type]
    rows = house_metrics(house)  # type: ignore[arg-type]
    return Asked(sessions, Site(sessions, rows, osc, page or PAGE))


def osc(path: str, attribute: str | None) -> dict[str, Any] | None:
    known = {None: {"FULL_PATH": path}, "VALUE": {"VALUE": [3.0]}}
    return None if path == "/none" else known.get(attribute, {})


def told(answer: Answered) -> Any:
    assert answer.type == "application/json"
    return json.loads(answer.body)


def test_the_page_comes_with_headers_that_keep_it_safe() -> None:
    answer = site().answer(scope("/"))
    headers = dict(answer.headers)
    assert (answer.status, answer.type) == (200, "text/html; charset=utf-8")
    policy = headers[b"content-security-policy"].decode().split("; ")
    assert "default-src 'self'" in policy[0]
    assert not any("unsafe-inline" in part or "'unsafe-eval'" in part for part in policy)
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert int(headers[b"content-length"]) == len(answer.body)


def test_the_page_asks_for_nothing_from_elsewhere() -> None:
    served = site()
    for path in ("/", "/page.css", "/page.js"):
        answer = served.answer(scope(path))
        assert answer.status == 200
        assert b"://" not in answer.body.replace(b'"://"', b"").replace(b"http://www.w3.org", b"")


def test_the_full_page_is_served_where_it_was_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed, built = tmp_path / "packed", tmp_path / "built"
    monkeypatch.setattr(site_module, "FULL_PAGES", (packed, built))
    assert page_folder() == PAGE
    for folder in (built, packed):
        folder.mkdir()
        assert page_folder() != folder, "an empty folder is no page"
        (folder / "index.html").write_text("full", "utf-8")
        assert page_folder() == folder


def test_the_plain_page_says_how_to_get_the_full_one() -> None:
    text = site().answer(scope("/")).body.decode()
    for word in ("npm", "Node.js 20.19", "pip install --force-reinstall --no-deps .", "make web"):
        assert word in text


def test_names_with_a_hash_are_kept_by_browsers_and_others_asked_for_again(tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "a-1f2e.js").write_text("1", "utf-8")
    (tmp_path / "index.html").write_text("2", "utf-8")
    served = site(page=tmp_path)
    kept = dict(served.answer(scope("/assets/a-1f2e.js")).headers)[b"cache-control"]
    assert kept == b"public, max-age=31536000, immutable"
    assert dict(served.answer(scope("/")).headers)[b"cache-control"] == b"no-cache"


def test_texts_are_sent_packed_to_those_that_can_unpack_them(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("let a = 1;" * 100, "utf-8")
    (tmp_path / "a.woff2").write_bytes(bytes(1000))
    served = site(page=tmp_path)
    packed = served.answer(scope("/a.js", accept_encoding="br, gzip"))
    headers = dict(packed.headers)
    assert headers[b"content-encoding"] == b"gzip"
    assert headers[b"vary"] == b"accept-encoding"
    plain = served.answer(scope("/a.js"))
    assert gzip.decompress(packed.body) == plain.body
    assert b"content-encoding" not in dict(plain.headers)
    for answer in (packed, plain):
        tag = dict(answer.headers)[b"etag"].decode()
        assert served.answer(scope("/a.js", if_none_match=tag)).status == 304
    font = served.answer(scope("/a.woff2", accept_encoding="gzip"))
    assert b"content-encoding" not in dict(font.headers)


def test_a_page_that_is_known_already_is_not_sent_again() -> None:
    served = site()
    tag = dict(served.answer(scope("/")).headers)[b"etag"].decode()
    again = served.answer(scope("/", if_none_match=tag))
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize(
    "path",
    ["/../site.py", "/%2e%2e/site.py", "/..\\site.py", "//etc/passwd", "/page/../../door.py", "/x"],
)
def test_nothing_outside_the_page_s_folder_is_served(path: str) -> None:
    answer = site().answer(scope(path))
    assert answer.status == 404
    assert told(answer)["error"]["code"] == "not_found"


def test_folders_inside_the_page_are_served(tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "a.js").write_text("1", "utf-8")
    served = site(page=tmp_path)
    assert served.answer(scope("/assets/a.js")).type == "text/javascript; charset=utf-8"
    assert served.answer(scope("/")).status == 404


@pytest.mark.parametrize(
    ("status", "code"), [("ok", 200), ("degraded", 200), ("starting", 503), ("broken", 503)]
)
def test_health_is_what_the_house_says(status: str, code: int) -> None:
    house = WebHouse()
    house.health = {"status": status, "streams": 2}
    answer = site(house).answer(scope("/health"))
    assert (answer.status, told(answer)) == (code, house.health)


def test_tables_come_as_json() -> None:
    served = site()
    assert told(served.answer(scope("/api/controls"))) == json.loads(json.dumps(describe()))
    assert [row["name"] for row in told(served.answer(scope("/api/stations")))] == [
        "study",
        "dance",
    ]
    assert [row["title"] for row in told(served.answer(scope("/api/presets")))] == [
        "Study",
        "Dance",
    ]
    state = told(served.answer(scope("/api/stations/study")))
    assert (state["stream"], state["bar"], state["seed"]) == ("study", 0, 7)


def test_a_station_that_is_none_is_told_so() -> None:
    house = WebHouse()
    house.begin("own-1", False)
    served = site(house)
    for name in ("studdy", "own-1", ""):
        answer = served.answer(scope(f"/api/stations/{name}"))
        assert (answer.status, told(answer)["error"]["code"]) == (404, "unknown_stream")


def test_only_reading_is_done() -> None:
    served = site()
    for method in ("POST", "PUT", "DELETE", "BREW"):
        answer = served.answer(scope("/api/stations", method))
        assert answer.status == 405
        assert (b"allow", b"GET, HEAD, OPTIONS") in answer.headers
    assert served.answer(scope("/api/stations", "HEAD")).status == 200


@pytest.mark.parametrize("path", ["/metrics", "/api/stations", "/api/stations/study", "/oscquery"])
def test_tables_and_metrics_ask_for_the_token(path: str) -> None:
    served = site(token=TOKEN)
    refused = served.answer(scope(path))
    assert refused.status == 401
    assert (b"www-authenticate", b'Bearer realm="perpetuo"') in refused.headers
    assert served.answer(scope(path, authorization="Bearer wrong-token")).status == 401
    assert served.answer(scope(path, query="token=wrong-token")).status == 401
    for allowed in (
        scope(path, authorization=f"bearer {TOKEN}"),
        scope(path, query=f"a=b&token={TOKEN}"),
    ):
        assert served.answer(allowed).status != 401
    assert site(token=TOKEN, enter="everyone").answer(scope(path)).status != 401


def test_page_and_health_need_no_token() -> None:
    served = site(token=TOKEN)
    assert served.answer(scope("/")).status == 200
    assert served.answer(scope("/health")).status == 200


def test_named_origins_may_read_and_others_are_not_told_so() -> None:
    served = site(origins=("https://radio.example",))
    answer = served.answer(scope("/api/stations", origin="https://radio.example"))
    assert (b"access-control-allow-origin", b"https://radio.example") in answer.headers
    preflight = served.answer(scope("/api/stations", "OPTIONS", origin="https://radio.example"))
    assert preflight.status == 204
    assert (b"access-control-allow-headers", b"authorization") in preflight.headers
    other = served.answer(scope("/api/stations", origin="https://evil.example"))
    assert not any(name.startswith(b"access-control") for name, _ in other.headers)


def test_osc_addresses_are_described_to_those_that_ask() -> None:
    served = site()
    assert told(served.answer(scope("/oscquery"))) == {"FULL_PATH": "/"}
    density = "/oscquery/perpetuo/study/density"
    assert told(served.answer(scope(density)))["FULL_PATH"] == "/perpetuo/study/density"
    assert told(served.answer(scope(density, query="token=x&VALUE"))) == {"VALUE": [3.0]}
    assert served.answer(scope(density, query="CRITICAL")).status == 204
    assert served.answer(scope("/oscquery/none")).status == 404
    assert served.answer(scope("/oscquerying")).status == 404


# -- metrics ---------------------------------------------------------------------------------------


TABLES = ("guards", "promises")  # counters with rows of their own


def test_every_counter_of_the_house_is_a_metric() -> None:
    house = WebHouse()
    for number, field in enumerate(fields(Counters)):
        if field.name not in TABLES:
            setattr(house.counters, field.name, 1000 + number)
    house.counters.guards = {"entropy": 7}
    house.counters.promises = PromiseCounts(9, 5, 1, 2)
    text = site(house).answer(scope("/metrics")).body.decode()
    values = {line.rpartition(" ")[2] for line in text.splitlines() if not line.startswith("#")}
    for number, field in enumerate(fields(Counters)):
        assert field.name in TABLES or str(1000 + number) in values, field.name
    assert 'perpetuo_guarded_bars_total{guard="entropy"} 7\n' in text
    assert 'perpetuo_promises_total{became="kept"} 5\n' in text
    assert "perpetuo_promises_open 3\n" in text
    assert 'perpetuo_streams{kind="station"} 2\n' in text


def test_metrics_are_written_as_prometheus_reads_them() -> None:
    rows = [
        Metric("a_total", COUNTER, "Two\nlines.", lambda: 3),
        Metric("b", "gauge", "Labels.", lambda: {'x"y\\': 0.25}, "name"),
    ]
    assert exposition(rows) == (
        "# HELP a_total Two\\nlines.\n# TYPE a_total counter\na_total 3\n"
        '# HELP b Labels.\n# TYPE b gauge\nb{name="x\\"y\\\\"} 0.25\n'
    )


def test_no_two_metrics_share_a_name() -> None:
    names = [row.name for row in house_metrics(WebHouse())]  # type: ignore[arg-type]
    assert len(names) == len(set(names))


# -- who comes in ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "headers", "may"),
    [
        ({}, {"host": "127.0.0.1:8770"}, True),
        ({}, {"host": "127.0.0.1:8770", "origin": "http://127.0.0.1:8770"}, True),
        ({}, {"host": "localhost:8770", "origin": "http://localhost:8770"}, True),
        ({}, {"host": "localhost:8770", "origin": "http://localhost:3000"}, False),
        ({}, {"host": "localhost:8770", "origin": "https://evil.example"}, False),
        ({}, {"host": "localhost:8770", "origin": "null"}, False),
        ({"host": "0.0.0.0"}, {"host": "radio:8770", "origin": "http://radio:8770"}, True),
        ({"origins": ("https://a.example",)}, {"origin": "https://a.example"}, True),
        ({"origins": ("https://a.example",)}, {"origin": "https://a.example.evil"}, False),
        ({"origins": ("*",)}, {"origin": "https://any.example"}, True),
    ],
)
def test_pages_connect_from_where_they_may(
    settings: dict[str, Any], headers: dict[str, str], may: bool
) -> None:
    assert admits(WebSettings(**settings), Request(scope("/ws", **headers))) == may


@pytest.mark.parametrize(
    ("settings", "host", "knows"),
    [
        ({}, "", True),
        ({}, "127.0.0.1:8770", True),
        ({}, "[::1]:8770", True),
        ({}, "LOCALHOST:8770", True),
        ({}, "page.localhost", True),
        ({}, "192.168.1.20:8770", True),
        ({}, f"{gethostname()}:8770", True),
        ({}, f"{gethostname().partition('.')[0]}.local", True),
        ({}, "evil.example:8770", False),
        ({}, "127.0.0.1.evil.example", False),
        ({}, "radio:8770", False),
        ({"host": "0.0.0.0"}, "192.168.1.20:8770", True),
        ({"host": "0.0.0.0"}, "[2001:db8::7]:8770", True),
        ({"host": "0.0.0.0"}, "radio:8770", True),
        ({"host": "0.0.0.0"}, "evil.example", False),
        ({"host": "0.0.0.0"}, "other.local", False),
        ({"host": "radio.example"}, "radio.example:8770", True),
        ({"hosts": ("radio.example",)}, "Radio.Example.", True),
        ({"hosts": ("radio.example",)}, "x.radio.example", False),
        ({"hosts": ("*",)}, "any.example", True),
        ({"origins": ("https://a.example:8443",)}, "a.example:8443", True),
        ({"origins": ("*",)}, "any.example", True),
    ],
)
def test_the_server_answers_to_names_that_no_other_site_can_take(
    settings: dict[str, Any], host: str, knows: bool
) -> None:
    assert knows_host(WebSettings(**settings), Request(scope("/", host=host))) == knows


@pytest.mark.parametrize("host", ["https://a.example", "a.example:8770", "a b", ""])
def test_a_host_that_is_no_name_is_told(host: str) -> None:
    with pytest.raises(ConfigError, match=r"mine.toml: hosts\[0\] .* without scheme and port"):
        MINE.build(WebSettings, {"hosts": [host]})


@pytest.mark.parametrize(
    ("address", "local"),
    [("127.0.0.1", True), ("::1", True), ("::ffff:127.0.0.1", True), ("192.0.2.1", False)],
)
def test_visitors_from_this_machine_are_known(address: str, local: bool) -> None:
    assert visitor(Request({**scope("/ws"), "client": (address, 1)})).is_local == local
    assert visitor(Request({**scope("/ws"), "client": None})).is_local is False


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"origins": ["https://a.example/x"]}, r"origins\[0\] must be a site without a path"),
        ({"origins": ["*", "a"]}, r"origins\[1\] must be a site without a path"),
        ({"tls_key": "k"}, "tls_certificate and tls_key go together"),
    ],
)
def test_settings_that_do_not_fit_are_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        MINE.build(WebSettings, wrong)
