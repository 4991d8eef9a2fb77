"""What a client is told: where the server is, what it says about itself, and to whom the token goes."""

import pickle
from typing import Any

import pytest

from headway import __version__
from headway.client import AsyncClient, Client, calls
from headway.client.options import Options, environment_token, located
from headway.client.retries import NO_RETRIES
from headway.core.errors import InvalidInput
from tests.client.by_hand import URL, options

GLOBAL = {
    "client_identifier": "X-Plex-Client-Identifier",
    "product": "X-Plex-Product",
    "version": "X-Plex-Version",
    "platform": "X-Plex-Platform",
    "platform_version": "X-Plex-Platform-Version",
    "device": "X-Plex-Device",
    "model": "X-Plex-Model",
    "device_vendor": "X-Plex-Device-Vendor",
    "device_name": "X-Plex-Device-Name",
    "marketplace": "X-Plex-Marketplace",
}
"""The global parameters of the generated Plex clients, but ``accepts``."""

GET = calls.list_activities().request


def headers(options: Options) -> dict[str, str]:
    return dict(options.sendable(GET).headers)


class TestWhere:
    @pytest.mark.parametrize(
        ("parts", "url"),
        [
            (("https", "10.0.0.5", 32400), "https://10.0.0.5:32400"),
            ((None, "media.example", None), "http://media.example"),
            (("https", None, None), "https://127.0.0.1"),
            ((None, None, "32400"), "http://127.0.0.1:32400"),
            ((None, "::1", 32400), "http://[::1]:32400"),
            ((None, "[::1]", 32400), "http://[::1]:32400"),
        ],
    )
    def test_in_parts(self, parts: tuple[Any, ...], url: str) -> None:
        assert located(None, *parts) == url
        assert options(located(None, *parts)).url == url

    def test_either_whole_or_in_parts(self) -> None:
        with pytest.raises(InvalidInput, match="either"):
            located(URL, None, None, 80)

    def test_or_by_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("HEADWAY_URL", raising=False)
        assert located(None, None, None, None) == "http://127.0.0.1:4590"
        monkeypatch.setenv("HEADWAY_URL", URL)
        assert located(None, None, None, None) == URL
        assert located("http://other.example", None, None, None) == "http://other.example"
        assert located(None, None, "other.example", None) == "http://other.example"

    @pytest.mark.parametrize("parts", [("ftp", "a", 1), ("http", "a/b?c", 1), (None, "a", "x"), (None, "a b", None)])
    def test_anything_else_is_refused(self, parts: tuple[Any, ...]) -> None:
        with pytest.raises(InvalidInput):
            Client(protocol=parts[0], host=parts[1], port=parts[2])


class TestToken:
    def test_by_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HEADWAY_TOKEN", "from-there")
        assert environment_token() == "from-there"
        with Client(URL) as client:
            assert headers(client.options)["X-Plex-Token"] == "from-there"
        monkeypatch.setenv("HEADWAY_TOKEN", "")
        assert environment_token() is None

    def test_one_that_is_asked_for_is_asked_for_each_request(self) -> None:
        tokens = iter(["first", "second", None])
        given = options(token=lambda: next(tokens))  # type: ignore[arg-type]
        assert headers(given)["X-Plex-Token"] == "first"
        assert headers(given)["X-Plex-Token"] == "second"
        assert "X-Plex-Token" not in headers(given)

    def test_one_that_cannot_be_one_is_refused_without_repeating_it(self) -> None:
        with pytest.raises(InvalidInput) as at_once:
            options(token="s3cr\r\net")
        asked = options(token=lambda: "s3cr\r\net")  # type: ignore[arg-type]
        with pytest.raises(InvalidInput) as later:
            asked.sendable(GET)
        assert "s3cr" not in str(at_once.value) + str(later.value)

    def test_it_shows_nowhere(self) -> None:
        given = options(token="s3cret", headers={"Authorization": "s3cret"})
        assert "s3cret" not in f"{given} {given!r} {given.sendable(GET)!r} {given.address!r}"
        with Client(URL, "s3cret") as client:
            assert "s3cret" not in f"{client!r} {client.activities!r} {client.activities.watch()!r}"

    def test_it_is_never_in_the_url(self) -> None:
        assert "t0k3n" not in options().sendable(GET).url


class TestIdentity:
    def test_the_eleven_parameters_of_the_plex_clients(self) -> None:
        said = headers(options(accepts="application/xml", **{name: f"<{name}>" for name in GLOBAL}))
        assert {header: said[header] for header in GLOBAL.values()} == {
            header: f"<{name}>" for name, header in GLOBAL.items()
        }
        assert said["Accept"] == "application/xml"

    def test_without_them_it_says_what_it_is(self) -> None:
        said = headers(options(token=None))
        assert said == {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": f"headway/{__version__}",
            "X-Plex-Product": "Headway",
            "X-Plex-Version": __version__,
        }

    def test_headers_of_one_s_own_win_however_they_are_written(self) -> None:
        said = headers(options(headers={"user-agent": "mine", "ACCEPT": "text/xml", "x-plex-product": "Mine"}))
        lower = {name.lower(): value for name, value in said.items()}
        assert len(lower) == len(said)
        assert (lower["user-agent"], lower["accept"], lower["x-plex-product"]) == ("mine", "text/xml", "Mine")

    def test_but_not_over_what_a_request_needs(self) -> None:
        given = options(headers={"content-type": "text/plain", "x-plex-token": "other"})
        sent = given.sendable(calls.start("a.b").request).headers
        assert [value for name, value in sent.items() if name.lower() == "content-type"] == ["application/json"]
        assert [value for name, value in sent.items() if name.lower() == "x-plex-token"] == ["t0k3n"]


@pytest.mark.parametrize(
    "wrong",
    [
        *({"timeout": 0}, {"timeout": -1.0}, {"timeout": float("nan")}, {"accepts": "text/html"}),
        *({"headers": {"a\r\nb": "c"}}, {"headers": {"a": "b\r\nc"}}, {"headers": {"a": "é"}}, {"headers": {"": "x"}}),
        *({"product": "a\r\nb"}, {"device_name": "Zoë's"}, {"headers": {"a b": "c"}}, {"headers": {"a:": "c"}}),
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=next(iter(wrong))):
        options(**wrong)


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_unknown_settings_are_refused_by_name(kind: Any) -> None:
    with pytest.raises(TypeError, match="colour, timeot"):
        kind(URL, timeot=3, colour="red")
    with pytest.raises(TypeError, match="timeot"):
        kind(URL).with_options(timeot=3)


class TestOtherOptions:
    def test_what_is_not_named_stays(self) -> None:
        first = options(timeout=3.0, product="Mine")
        other = first.but(None, None, {"timeout": 7.0, "retries": NO_RETRIES})
        assert (other.url, other.token, other.settings["product"]) == (URL, "t0k3n", "Mine")
        assert other.sendable(GET).timeout == 7.0
        assert first.sendable(GET).timeout == 3.0

    @pytest.mark.parametrize("url", [URL, f"{URL}/", URL.upper().replace("HTTP", "http")])
    def test_the_same_server_keeps_the_token(self, url: str) -> None:
        assert headers(options().but(url, None, {}))["X-Plex-Token"] == "t0k3n"

    @pytest.mark.parametrize(
        "url", ["http://media.example", "https://media.example:32400", "http://evil.example:32400", f"{URL}/x"]
    )
    def test_another_server_never_gets_it(self, url: str) -> None:
        assert "t0k3n" not in headers(options().but(url, None, {})).values()
        assert "t0k3n" not in headers(options().sdk(None, url, None, None)).values()
        assert headers(options().but(url, "theirs", {}))["X-Plex-Token"] == "theirs"

    def test_nor_any_header_that_opens_this_one(self) -> None:
        secrets = {"X-Plex-Token": "t0k3n", "authorization": "Basic t0k3n", "Cookie": "t0k3n", "X-Mine": "stays"}
        given = options(token=None, headers=secrets)
        elsewhere = headers(given.but("http://evil.example", None, {}))
        assert "t0k3n" not in "".join(elsewhere.values())
        assert elsewhere["X-Mine"] == "stays"
        called = headers(given.sdk(None, "http://evil.example", None, {"x-called": "once"}))
        assert "t0k3n" not in "".join(called.values())
        assert (called["X-Mine"], called["x-called"]) == ("stays", "once")
        assert headers(given.but(None, None, {}))["authorization"] == "Basic t0k3n"
        again = given.but("http://other.example", None, {"headers": {"Authorization": "theirs"}})
        assert headers(again)["Authorization"] == "theirs"

    def test_nor_is_one_asked_for(self) -> None:
        def asked() -> str:
            raise AssertionError("nobody may ask for the token of another server")

        given = options(token=asked)  # type: ignore[arg-type]
        assert "X-Plex-Token" not in headers(given.but("http://evil.example", None, {}))

    def test_a_client_with_other_options_holds_to_that(self) -> None:
        with Client(URL, "t0k3n") as client:
            assert "X-Plex-Token" not in headers(client.with_options(url="http://evil.example").options)
            assert headers(client.with_options(timeout=1.0).options)["X-Plex-Token"] == "t0k3n"

    def test_the_options_of_the_generated_clients(self) -> None:
        given = options(headers={"a": "1", "b": "2"}).sdk(NO_RETRIES, None, 1_500, {"b": "3"})
        sendable = given.sendable(GET)
        assert (sendable.timeout, given.retries) == (1.5, NO_RETRIES)
        assert (sendable.headers["a"], sendable.headers["b"]) == ("1", "3")


def test_what_the_server_is_asked_to_wait_is_on_top() -> None:
    assert options(timeout=3.0).sendable(calls.get("u", wait=25.0).request).timeout == 28.0


def test_a_query_is_escaped_and_a_path_is_kept() -> None:
    request = calls.list_activities(text="a&b=c d", context={"k": "ü"}).request
    url = options(f"{URL}/below").sendable(request).url
    assert url == f"{URL}/below/activities?q=a%26b%3Dc+d&Context.k=%C3%BC"


def test_options_survive_a_journey_between_processes() -> None:
    again = pickle.loads(pickle.dumps(options(timeout=3.0)))
    assert headers(again) == headers(options(timeout=3.0))
