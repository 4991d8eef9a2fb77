"""What a command is called in its record, and what is not told of it."""

import pytest

from headway.cli.command_name import program, title_of, type_of


@pytest.mark.parametrize(
    ("argv", "title"),
    [
        (["rsync", "-a", "my photos", "nas:"], "rsync -a 'my photos' nas:"),
        (["/usr/bin/ffmpeg", "-i", "a.mkv"], "ffmpeg -i a.mkv"),
        (["sh", "-c", "echo 'x'"], "sh -c 'echo '\"'\"'x'\"'\"''"),
        (["true"], "true"),
        (["printf", "…"], "printf …"),
    ],
)
def test_the_title_is_the_command_line(argv: list[str], title: str) -> None:
    assert title_of(argv) == title


@pytest.mark.parametrize(
    "argv",
    [
        ["x", "--password", "hunter2"],
        ["x", "--password=hunter2"],
        ["x", "-password", "hunter2"],
        ["x", "--db-password=hunter2"],
        ["x", "--api-key", "hunter2"],
        ["x", "--client_secret=hunter2"],
        ["x", "--auth", "hunter2"],
        ["x", "--proxy-pass", "hunter2"],
        ["env", "PGPASSWORD=hunter2", "psql"],
        ["env", "AWS_SECRET_ACCESS_KEY=hunter2", "aws"],
        ["curl", "https://me:hunter2@host/x"],
        ["curl", "-H", "X-Plex-Token: hunter2"],
        ["curl", "-H", "Authorization: Bearer hunter2"],
        ["curl", "http://host/?X-Plex-Token=hunter2&x=1"],
        ["curl", "hw_0badcafe_hunter2"],
    ],
)
def test_what_looks_like_a_secret_is_left_out(argv: list[str]) -> None:
    title = title_of(argv)
    assert "hunter2" not in title
    assert title.startswith(argv[0])


@pytest.mark.parametrize(
    "argv",
    [
        ["git", "log", "--author", "me"],
        ["ffmpeg", "-passlogfile", "x"],
        ["x", "--password", "--verbose"],
        ["rsync", "host::share/pass"],
        ["ssh", "me@host"],
        ["curl", "http://host:80/x@y"],
    ],
)
def test_what_does_not_stays(argv: list[str]) -> None:
    assert title_of(argv) == " ".join(argv)


@pytest.mark.parametrize(
    ("argv0", "type"),
    [
        ("rsync", "command.rsync"),
        ("/usr/bin/python3.11", "command.python3.11"),
        ("./my script!.sh", "command.my-script-.sh"),
        ("日本", "command"),
        ("x" * 500, "command." + "x" * 120),
    ],
)
def test_the_type_is_the_program(argv0: str, type: str) -> None:
    assert type_of([argv0]).rstrip(".") == type


def test_the_program_has_a_name_even_if_it_is_a_folder() -> None:
    assert program(["/usr/bin/"]) == "/usr/bin/"
