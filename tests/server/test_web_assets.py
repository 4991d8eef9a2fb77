"""The files of the dashboard: where they are, what they say they are, and that nothing else is there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

import headway
from headway.core.policy import Principal
from headway.hub import Activities
from headway.server.app import create_app
from headway.server.service import Service
from headway.server.web.assets import CONTENT_SECURITY_POLICY, MEDIA_TYPES, Assets
from headway.testing.asgi import asgi_request
from tests.server.whole import JSON, Answer, Whole

STATIC = Path(headway.__file__).parent / "server" / "web" / "static"
FILES = sorted(path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*") if path.is_file())
BROWSER = ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")


@pytest.fixture
async def host() -> AsyncIterator[Starlette]:
    """An application that has ours below a path."""
    async with Activities() as activities:
        app = create_app(Service(activities, lambda connection: Principal(2)))
        yield Starlette(routes=[Mount("/tools/headway", app)])


@pytest.mark.parametrize("file", FILES)
async def test_each_file_is_served_as_it_is_without_a_token(whole: Whole, file: str) -> None:
    answer = await whole.ask("GET", f"/web/{file}")
    assert (answer.status, answer.body) == (200, (STATIC / file).read_bytes())
    assert answer.headers["content-type"] == MEDIA_TYPES[file.rpartition(".")[2]]


async def test_the_folder_is_its_index(whole: Whole) -> None:
    page = await whole.ask("GET", "/web/", None, [BROWSER])
    assert page.body == (STATIC / "index.html").read_bytes()
    assert page.headers["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize("path", ["/web/", "/web/index.html", "/web/app.js"])
async def test_nothing_runs_but_what_is_in_the_files(whole: Whole, path: str) -> None:
    headers = (await whole.ask("GET", path)).headers
    policy = dict(rule.split(" ", 1) for rule in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


async def test_a_file_that_is_known_is_not_sent_again(whole: Whole) -> None:
    first = await whole.ask("GET", "/web/app.js")
    assert first.headers["cache-control"] == "no-cache"
    tag = first.headers["etag"]
    assert tag.startswith('"')
    for known in (tag, f'"other", {tag}', f"W/{tag}"):
        again = await whole.ask("GET", "/web/app.js", None, [("If-None-Match", known)])
        assert (again.status, again.headers["etag"], again.headers["cache-control"]) == (304, tag, "no-cache")
    other = await whole.ask("GET", "/web/app.js", None, [("If-None-Match", '"other"')])
    assert (other.status, other.body) == (200, first.body)
    assert (await whole.ask("GET", "/web/index.html")).headers["etag"] != tag


async def test_head_is_get_without_the_body(whole: Whole) -> None:
    got, head = await whole.ask("GET", "/web/app.js"), await whole.ask("HEAD", "/web/app.js")
    ignored = {"date"}
    assert {name: value for name, value in head.headers.items() if name not in ignored} == {
        name: value for name, value in got.headers.items() if name not in ignored
    }
    assert head.status == 200


ELSEWHERE = [
    "/web/nothing.js",
    "/web/../pyproject.toml",
    "/web/..%2fassets.py",
    "/web/%2e%2e/assets.py",
    "/web/../assets.py",
    "/web//app.js",
    "/web/./app.js",
    "/web/app.js/",
    "/web/APP.JS",
    "/web/app.js%00",
    "/web/..%5cassets.py",
    "/web//etc/passwd",
    "/web/%2fetc/passwd",
    "/web/assets.py",
    "/web/static/app.js",
    "/web/.",
]


@pytest.mark.parametrize("path", ELSEWHERE)
async def test_what_is_none_of_the_files_is_nothing(whole: Whole, path: str) -> None:
    assert (await whole.ask("GET", path, "alice", [JSON])).status == 404
    # Default deny: without a token it is not even said that there is nothing.
    assert (await whole.ask("GET", path, None, [JSON])).status == 401


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_a_file_can_only_be_read(whole: Whole, method: str) -> None:
    answer = await whole.ask(method, "/web/app.js", None, [JSON])
    assert answer.status == 405
    assert {name.strip() for name in answer.headers["allow"].split(",")} == {"GET", "HEAD"}


async def test_pages_of_other_sites_get_none_of_it(whole: Whole) -> None:
    foreign = await whole.ask("GET", "/web/app.js", None, [("Origin", "https://evil.example")])
    assert foreign.status == 403
    included = [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "no-cors"), ("Sec-Fetch-Dest", "script")]
    assert (await whole.ask("GET", "/web/app.js", None, included)).status == 403
    link = [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")]
    assert (await whole.ask("GET", "/web/", None, [*link, BROWSER])).status == 200


async def got(app: Starlette, path: str) -> Answer:
    async with asgi_request(app, "GET", path, headers=[("host", "localhost"), BROWSER]) as response:
        await response.start()
        return Answer(response.status, response.headers, await response.body())


@pytest.mark.parametrize("path", ["/", "/web"])
async def test_browsers_are_sent_to_the_dashboard_wherever_it_is_mounted(
    whole: Whole, host: Starlette, path: str
) -> None:
    here = await whole.ask("GET", path, None, [BROWSER])
    below = await got(host, f"/tools/headway{path}")
    assert (here.status, below.status) == (303, 303)
    assert urljoin(f"http://localhost{path}", here.headers["location"]) == "http://localhost/web/"
    # What a proxy has cut off the path, or a mount has added to it, stays.
    for outside in ("/tools/headway", "/cut/off"):
        for location in (here.headers["location"], below.headers["location"]):
            assert urljoin(f"http://localhost{outside}{path}", location) == f"http://localhost{outside}/web/"


async def test_its_files_are_there_below_a_path_too(host: Starlette) -> None:
    page = await got(host, "/tools/headway/web/")
    assert (page.status, page.body) == (200, (STATIC / "index.html").read_bytes())
    assert page.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert (await got(host, "/tools/headway/web/app.js")).status == 200
    assert (await got(host, "/tools/headway/web/nothing.js")).status == 404


async def test_what_the_page_loads_is_beside_it() -> None:
    paths = Assets.load().paths
    for line in (STATIC / "index.html").read_text().splitlines():
        for attribute in ('src="', 'href="'):
            for reference in line.split(attribute)[1:]:
                target = reference.partition('"')[0]
                assert not target.startswith(("/", "http", "//")), line
                assert target.startswith("#") or f"/web/{target}" in paths, line
