"""`headway token`: its output, its exit codes, and that it says no more than it must."""

import json
import os
import pty
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from headway.cli.token import token as command
from headway.core.policy import Role
from headway.server.data import ADMIN_TOKEN, IDENTITY, admin_token
from headway.server.identity.store import TokenRecord, TokenStore
from headway.server.identity.tokens import digest, id_of
from tests.server.identity.support import CLI

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HEADWAY_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def run() -> Run:
    return lambda *arguments: CliRunner().invoke(command, list(arguments))


def records(folder: Path) -> list[tuple[bytes, TokenRecord]]:
    with closing(TokenStore.open(folder, now=0.0, create=False)) as store:
        return store.unrevoked()


def made(run: Run, *arguments: str) -> str:
    result = run("create", *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout.strip()


def test_create_prints_the_token_and_nothing_else(run: Run, folder: Path) -> None:
    result = run("create", "anna")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.endswith("\n")
    token = result.stdout.strip()
    _, (hashed, record) = records(folder)
    assert hashed == digest(token)
    assert (record.user, record.user_id, record.role, record.id) == ("anna", 2, Role.USER, id_of(token))


def test_a_real_process_prints_the_token_and_nothing_else(folder: Path) -> None:
    result = subprocess.run([*CLI, "create", "anna"], capture_output=True, text=True, check=True)
    assert id_of(result.stdout.removesuffix("\n")) is not None
    assert result.stderr == ""


def test_on_a_terminal_it_says_whose_it_is_beside_it(folder: Path) -> None:
    master, terminal = pty.openpty()
    result = subprocess.run([*CLI, "create", "anna"], stdout=subprocess.PIPE, stderr=terminal, text=True, check=True)
    said = os.read(master, 4096).decode()
    os.close(master)
    os.close(terminal)
    token = result.stdout.removesuffix("\n")
    assert id_of(token) is not None
    assert "anna (userID 2), role user, expires: never" in said
    assert token not in said


@pytest.mark.parametrize(
    ("options", "role"),
    [
        ((), Role.USER),
        (("--admin",), Role.ADMIN),
        (("--role", "admin"), Role.ADMIN),
        (("--admin", "--role", "admin"), Role.ADMIN),
        (("--role", "user"), Role.USER),
        (("--role", "reporter"), Role.REPORTER),
        (("--role", "reader"), Role.READER),
    ],
)
def test_roles(run: Run, folder: Path, options: tuple[str, ...], role: Role) -> None:
    made(run, "anna", *options)
    assert records(folder)[1][1].role is role


def test_a_lifetime_counts_from_now(run: Run, folder: Path) -> None:
    made(run, "anna", "--expires", "30d")
    record = records(folder)[1][1]
    assert record.expires_at - record.created_at == pytest.approx(30 * 86_400, abs=0.01)


def test_the_admin_s_token_can_be_made_anew(run: Run, folder: Path) -> None:
    made(run, "anna")
    (folder / ADMIN_TOKEN).unlink()
    token = made(run, "admin", "--admin")
    hashed, record = records(folder)[-1]
    assert hashed == digest(token)
    assert (record.user_id, record.role) == (1, Role.ADMIN)


def test_the_data_option_beats_the_environment(run: Run, folder: Path, tmp_path: Path) -> None:
    made(run, "anna", "--data", str(tmp_path / "other"))
    assert (tmp_path / "other" / IDENTITY).exists()
    assert not folder.exists()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("create",), "Missing argument 'USER'"),
        (("create", "no/good"), "Invalid value for 'USER': user name 'no/good'"),
        (("create", "anna", "--role", "owner"), "Invalid value for '--role'"),
        (("create", "anna", "--admin", "--role", "user"), "exclude each other"),
        (("create", "anna", "--expires", "soon"), "Invalid value for '--expires': lifetime 'soon'"),
        (("create", "anna", "--expires", "0d"), "Invalid value for '--expires'"),
        (("create", "anna", "--label", "x" * 257), "Invalid value for '--label'"),
        (("revoke",), "name either the ID of a token or --user NAME"),
        (("revoke", "0123abcd", "--user", "anna"), "name either the ID of a token or --user NAME"),
        (("revoke", "--user", "no/good"), "Invalid value for '--user'"),
    ],
)
def test_wrong_usage_is_explained_and_makes_nothing(
    run: Run, folder: Path, arguments: tuple[str, ...], reason: str
) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert reason in result.stderr
    assert result.stdout == ""
    assert not folder.exists()


def listed(run: Run) -> list[dict[str, Any]]:
    result = run("list", "--json")
    assert result.exit_code == 0
    rows: list[dict[str, Any]] = json.loads(result.stdout)
    return rows


def test_list_as_json(run: Run) -> None:
    token = made(run, "anna", "--expires", "1h", "--label", "my ☃ phone", "--role", "reader")
    admin, anna = listed(run)
    assert list(admin) == ["id", "user", "userID", "role", "label", "created", "state"]
    assert anna.pop("expires") - anna.pop("created") == pytest.approx(3_600, abs=0.01)
    assert anna == {
        "id": id_of(token),
        "user": "anna",
        "userID": 2,
        "role": "reader",
        "label": "my ☃ phone",
        "state": "active",
    }


def test_list_for_people(run: Run) -> None:
    token = made(run, "anna", "--label", "phone")
    heading, admin, anna = run("list").stdout.splitlines()
    assert heading.split() == ["ID", "USER", "USERID", "ROLE", "STATE", "CREATED", "EXPIRES", "LABEL"]
    assert admin.split()[1:5] == ["admin", "1", "admin", "active"]
    assert anna.split()[:5] == [id_of(token), "anna", "2", "user", "active"]
    assert anna.split()[-2:] == ["never", "phone"]
    assert heading.index("LABEL") == anna.index("phone")


def test_list_tells_expired_and_revoked_ones(run: Run, folder: Path) -> None:
    with closing(TokenStore.open(folder, now=1.0)) as store:
        store.create("anna", Role.USER, now=1.0, expires_at=2.0)
        store.revoke(now=3.0, id=store.create("bob", Role.USER, now=1.0)[1].id)
    assert [row["state"] for row in listed(run)] == ["active", "expired", "revoked"]
    assert "1970-01-01" in run("list").stdout


def test_no_token_and_no_hash_is_ever_listed(run: Run, folder: Path) -> None:
    token = made(run, "anna")
    shown = run("list").output + run("list", "--json").output
    for secret in (token, admin_token(folder) or "", digest(token).hex()):
        assert secret not in shown
        assert secret[12:] not in shown


def test_revoke_one_by_its_id(run: Run) -> None:
    id = id_of(made(run, "anna")) or ""
    made(run, "anna")
    result = run("revoke", id)
    assert (result.exit_code, result.output) == (0, f"Revoked token {id}.\n")
    assert [row["state"] for row in listed(run)] == ["active", "revoked", "active"]
    assert run("revoke", id).exit_code == 0


def test_revoke_all_of_a_user(run: Run) -> None:
    made(run, "anna")
    made(run, "anna", "--admin")
    result = run("revoke", "--user", "anna")
    assert (result.exit_code, result.output) == (0, "Revoked all tokens of anna: 2.\n")
    assert [row["state"] for row in listed(run)] == ["active", "revoked", "revoked"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("nonsense",), "Error: there is no token with that ID\n"),
        (("--user", "bob"), "Error: there is no user 'bob'\n"),
    ],
)
def test_revoking_what_there_is_not_is_1(run: Run, arguments: tuple[str, ...], line: str) -> None:
    made(run, "anna")
    result = run("revoke", *arguments)
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", line)


@pytest.mark.parametrize(
    "arguments", [("list",), ("list", "--json"), ("revoke", "0123abcd"), ("revoke", "--user", "anna")]
)
def test_looking_makes_no_data_folder(run: Run, folder: Path, arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert result.exit_code == 1
    assert "identity.db does not exist" in result.stderr
    assert not folder.exists()


def test_a_folder_that_cannot_be_used_is_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run("create", "anna", "--data", str(tmp_path / "file" / "data"))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: cannot make the data folder")
    assert "Not a directory; choose another with --data or HEADWAY_DATA" in result.stderr
    assert result.stderr.count("\n") == 1
