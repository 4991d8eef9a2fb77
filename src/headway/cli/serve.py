"""``headway serve``: the server."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from headway.server.standalone import Job, Settings

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="The address to listen on (with ::1 for this one)."
)
@click.option("--port", default=4590, show_default=True, help="0 picks a free one.")
@click.option(
    "--data",
    metavar="DIR",
    help="The folder of records and tokens [env: HEADWAY_DATA; default: ~/.local/share/headway].",
)
@click.option(
    "--store",
    metavar="URL",
    envvar="HEADWAY_STORE",
    show_envvar=True,
    help="A store that several servers share, such as redis://HOST; with it they share users and tokens.",
)
@click.option("--tls-cert", type=_FILE, help="The certificate chain, PEM.")
@click.option("--tls-key", type=_FILE, help="Its key, PEM; not needed when it is in the same file.")
@click.option("--behind-proxy", is_flag=True, help="A proxy does TLS; only it can reach the server.")
@click.option("--allow-host", "hosts", metavar="NAME", multiple=True, help="Another name that the server answers to.")
@click.option(
    "--allow-origin", "origins", metavar="ORIGIN", multiple=True, help="Another site whose pages may call it."
)
@click.option(
    "--jwt-key", "keys", type=_FILE, multiple=True, help="A public key (PEM, JWKS) whose tokens are accepted."
)
@click.option("--jwt-audience", help="The audience those tokens must be for.")
@click.option("--jwt-issuer", help="Who must have issued them.")
@click.option(
    "--max-streams",
    type=click.IntRange(min=1),
    default=10_000,
    show_default=True,
    help="How many streams may be open at once; each takes one open file.",
)
@click.option(
    "--max-streams-per-user",
    type=click.IntRange(min=1),
    default=64,
    show_default=True,
    help="And how many of them by one user.",
)
@click.option("--access-log", is_flag=True, help="Log each request.")
def serve(
    host: str,
    port: int,
    data: str | None,
    store: str | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    behind_proxy: bool,
    hosts: tuple[str, ...],
    origins: tuple[str, ...],
    keys: tuple[Path, ...],
    jwt_audience: str | None,
    jwt_issuer: str | None,
    max_streams: int,
    max_streams_per_user: int,
    access_log: bool,
) -> None:
    """Start the server and keep it in the foreground.

    The first start makes the user admin and a token, kept in the file admin.token of the data folder, where the other
    commands on this machine find it.

    \b
    Examples:
      headway serve
      headway serve --port 0 --data ./data
      headway serve --host 0.0.0.0 --tls-cert chain.pem --tls-key key.pem
      headway serve --store redis://valkey.internal
    """
    from headway.server.data import data_dir
    from headway.server.serve import TlsFiles
    from headway.server.service import StreamLimits
    from headway.server.standalone import Settings
    from headway.stores import without_secrets

    if tls_key is not None and tls_cert is None:
        raise click.UsageError("--tls-key needs --tls-cert")
    settings = Settings(
        data=data_dir(data),
        store=store,
        host=host,
        port=port,
        tls=None if tls_cert is None else TlsFiles(tls_cert, tls_key),
        behind_proxy=behind_proxy,
        allowed_hosts=hosts,
        allowed_origins=origins,
        jwt_keys=keys,
        jwt_audience=jwt_audience,
        jwt_issuer=jwt_issuer,
        access_log=access_log,
        streams=StreamLimits(per_user=max_streams_per_user, total=max_streams),
    )

    def on_ready(urls: list[str]) -> None:
        where = settings.data if store is None else without_secrets(store)
        click.echo(f"Headway listens on {' and '.join(urls)}; its data is in {where}", err=True)

    run_server(settings, on_ready)


def run_server(settings: Settings, on_ready: Callable[[list[str]], None], job: Job | None = None) -> None:
    """Serve until stopped and exit with the server's code; what prevents a start is one line and exit code 1."""
    from headway.core.errors import HeadwayError
    from headway.server.serve import CannotServe, run
    from headway.server.standalone import serve as serve_until_stopped

    try:
        code = run(serve_until_stopped(settings, on_ready, job))
    except (HeadwayError, CannotServe, ValueError) as error:
        raise click.ClickException(str(error)) from error
    sys.exit(code)
