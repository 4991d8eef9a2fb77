"""Completion: what a shell offers, and what it never does."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from headway.cli import completing, headway
from headway.cli.completion import SHELLS, VARIABLE
from headway.cli.contexts import Context, changed_contexts
from tests.cli.invoking import environment, invoke
from tests.client.scripted_server import OTHER, UUID, Asked, Drop, Hang, Reply, ScriptedServer, listed, refused, row

ENDED = "0c000000-0000-4000-8000-000000000000"


def script(asked: Asked) -> Reply:
    if asked.path == "/activities":
        return listed(row(type="command.rsync", title="Copying films"), row(OTHER, type="library.update.section"))
    if asked.path == "/activities/history":
        return listed(row(ENDED, type="command.dd", state="failed"))
    return refused(404, "not_found")


def offered(*words: str) -> list[str]:
    """What is offered for the last of the words."""
    *before, incomplete = words
    found = ShellComplete(headway, {}, "headway", VARIABLE).get_completions(before, incomplete)
    return [item.value for item in found]


class TestWithAServer:
    @pytest.mark.parametrize(
        ("words", "found"),
        [
            (["cancel", ""], [UUID, OTHER]),
            (["cancel", UUID[:3]], [UUID]),
            (["cancel", UUID[:3].upper()], [UUID]),
            (["cancel", UUID, OTHER[:2]], [OTHER]),
            (["wait", "0c"], []),
            (["show", "0"], [UUID, ENDED]),
            (["ls", "--type", "command."], ["command.rsync", "command.dd"]),
            (["history", "--type", "lib"], ["library.update.section"]),
        ],
    )
    def test_uuids_and_types_are_offered(self, words: list[str], found: list[str]) -> None:
        with ScriptedServer(script) as server:
            assert offered("--url", server.url, *words) == found
            assert offered(words[0], "--url", server.url, *words[1:]) == found

    def test_with_what_they_stand_for(self) -> None:
        with ScriptedServer(script) as server:
            shell = ShellComplete(headway, {}, "headway", VARIABLE)
            (item,) = shell.get_completions(["--url", server.url, "show"], UUID[:3])
        assert item.help == "Copying films"

    def test_the_token_of_a_context_goes_along(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
        with ScriptedServer(script) as server:
            with changed_contexts() as known:
                known.contexts["den"] = Context(server.url, "hw_den")
            assert offered("--context", "den", "cancel", "") == [UUID, OTHER]
        assert {asked.headers["x-plex-token"] for asked in server.asked} == {"hw_den"}

    @pytest.mark.parametrize("evil", ["$(reboot)", "`x`", "a b", "a;b", "-rf", "a\nb", "'", '"', "*", "~", "x" * 200])
    def test_nothing_is_put_on_a_command_line_that_a_shell_would_act_on(self, evil: str) -> None:
        with ScriptedServer(lambda asked: listed(row(evil, type=evil), row(OTHER, type="fine"))) as server:
            assert offered("--url", server.url, "cancel", "") == [OTHER]
            assert offered("--url", server.url, "ls", "--type", "") == ["fine"]


class TestWithTrouble:
    @pytest.mark.parametrize(
        "trouble",
        [refused(401, "not_authenticated"), refused(500, "internal"), Reply(200, b"<html>"), Drop(), Hang()],
        ids=["401", "500", "page", "drop", "hang"],
    )
    def test_nothing_is_offered_and_nothing_said(
        self, trouble: Reply | Drop | Hang, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(completing, "PATIENCE", 0.3)
        with ScriptedServer(lambda asked: trouble) as server:
            assert offered("--url", server.url, "cancel", "") == []
        assert capfd.readouterr() == ("", "")

    @pytest.mark.parametrize("options", [["--url", "gopher://x"], ["--context", "none"], ["--url", "x", "--plex"]])
    def test_nor_for_a_server_that_cannot_be_named(self, options: list[str], capfd: pytest.CaptureFixture[str]) -> None:
        assert offered(*options, "cancel", "") == []
        assert capfd.readouterr() == ("", "")

    def test_what_was_found_in_time_is_offered(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def partly(asked: Asked) -> Reply | Hang:
            return Hang() if "history" in asked.path else script(asked)

        monkeypatch.setattr(completing, "PATIENCE", 2.0)
        with ScriptedServer(partly) as server:
            assert offered("--url", server.url, "show", "") == [UUID, OTHER]


def test_names_of_contexts_are_offered_without_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with changed_contexts() as known:
        known.contexts["den"] = Context("http://10.0.0.7:32400")
    assert offered("--context", "") == offered("ls", "--context", "") == ["local", "den"]
    assert offered("context", "use", "d") == ["den"]


def test_commands_are_offered_with_their_help_and_none_is_imported() -> None:
    code = (
        "import sys; from headway.cli import headway\n"
        "from click.shell_completion import ShellComplete\n"
        "found = ShellComplete(headway, {}, 'headway', 'X').get_completions([], 'wa')\n"
        "print(*(f'{item.value} {item.help}' for item in found), sep='\\n')\n"
        "print([name for name in sys.modules if name.startswith('headway.cli.wa')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    watch, wait, imported = done.stdout.splitlines()
    assert (watch.split()[0], wait.split()[0], imported) == ("watch", "wait", "[]")
    assert watch == "watch Watch activities live."


@pytest.mark.parametrize("shell", SHELLS)
def test_the_partlyof_each_shell(tmp_path: Path, shell: str) -> None:
    result = invoke(tmp_path, "completion", shell)
    assert (result.exit_code, f"{VARIABLE}={shell}_complete" in result.stdout) == (0, True)


def test_another_shell_is_refused(tmp_path: Path) -> None:
    assert invoke(tmp_path, "completion", "csh").exit_code == 2


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_a_real_bash_completes(tmp_path: Path) -> None:
    command = tmp_path / "bin" / "headway"
    command.parent.mkdir()
    patiently = "from headway.cli import completing, main; completing.PATIENCE = 60; main()"
    command.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{patiently}' \"$@\"\n")
    command.chmod(0o755)
    asking = (
        'eval "$(headway completion bash)"; complete -p headway;'
        f' COMP_WORDS=(headway cancel {UUID[:3]}); COMP_CWORD=2; _headway_completion headway; echo "${{COMPREPLY[@]}}";'
        ' COMPREPLY=(); COMP_WORDS=(headway wat); COMP_CWORD=1; _headway_completion headway; echo "${COMPREPLY[@]}"'
    )
    with ScriptedServer(script) as server:
        env = environment(tmp_path, HEADWAY_URL=server.url, PATH=f"{command.parent}:{os.environ['PATH']}")
        done = subprocess.run(["bash", "-c", asking], env=env, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.splitlines()[1:] == [UUID, "watch"]
    assert done.stdout.startswith("complete ")
    assert done.stderr == ""
