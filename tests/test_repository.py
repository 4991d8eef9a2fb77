"""What the repository promises about itself."""

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from itertools import pairwise
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import headway

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
SOURCES = sorted((ROOT / "src").rglob("*.py"))
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]

PIN = re.compile(r"([a-z0-9-]+)==([A-Za-z0-9.!+-]+)(?: ; [^/:@]+)? \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}(?: \\)?")
ADDRESS = re.compile(r"://|file:| @ |\s/")


def pins(lock: Path) -> dict[str, str]:
    """Name and version of all that a lock file lists."""
    return {match[1]: match[2] for match in map(PIN.fullmatch, lock.read_text().splitlines()) if match}


def wanted(entries: list[str]) -> list[Requirement]:
    """Requirements as pyproject.toml states them, the package's own extras replaced by what is in them."""
    found: list[Requirement] = []
    for requirement in map(Requirement, entries):
        if requirement.name == "headway":
            for extra in requirement.extras:
                found += wanted(PROJECT["project"]["optional-dependencies"][extra])
        else:
            found.append(requirement)
    return found


RUN = [*PROJECT["project"]["dependencies"], "headway[cli]"]
BUILD, DEV = PROJECT["dependency-groups"]["build"], PROJECT["dependency-groups"]["dev"]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_holds_pins_and_hashes_and_no_address(lock: Path) -> None:
    assert ADDRESS.findall(lock.read_text()) == []
    lines = [line for line in lock.read_text().splitlines() if not line.lstrip().startswith("#")]
    assert [line for line in lines if not (PIN.fullmatch(line) or HASH.fullmatch(line))] == []
    assert [a for a, b in pairwise([*lines, ""]) if PIN.fullmatch(a) and not HASH.fullmatch(b)] == []


@pytest.mark.parametrize(
    ("lock", "entries"),
    [("run", RUN), ("build", BUILD), ("dev", [*RUN, *BUILD, *DEV])],
    ids=["run", "build", "dev"],
)
def test_a_lock_answers_the_project_file(lock: str, entries: list[str]) -> None:
    locked = pins(ROOT / "requirements" / f"{lock}.txt")
    for requirement in wanted(entries):
        version = locked.get(canonicalize_name(requirement.name))
        assert version is not None and requirement.specifier.contains(version, prereleases=True), (
            f"{lock}.txt has {version} for {requirement}: run `make lock`"
        )


def test_all_locks_agree_so_that_one_environment_can_hold_them() -> None:
    dev = pins(ROOT / "requirements" / "dev.txt")
    for lock in LOCKS:
        assert pins(lock).items() <= dev.items(), lock.name


@pytest.mark.parametrize("name", ["Makefile", ".ci/run", "pyproject.toml"])
def test_what_builds_the_project_names_no_host(name: str) -> None:
    assert "://" not in (ROOT / name).read_text()


def test_only_msgspec_is_needed_by_all() -> None:
    assert [requirement.name for requirement in wanted(PROJECT["project"]["dependencies"])] == ["msgspec"]


def test_the_package_and_the_project_file_tell_one_version() -> None:
    assert headway.__version__ == PROJECT["project"]["version"]


def test_no_source_file_is_long() -> None:
    lines = {str(path.relative_to(ROOT)): path.read_text().count("\n") for path in SOURCES}
    assert {name: count for name, count in lines.items() if count >= 400} == {}


def test_no_handler_takes_every_exception_there_is() -> None:
    # It would take a cancel, too, and an operation that swallows its cancel cannot be stopped.
    def greedy(tree: ast.Module) -> list[int]:
        handlers = [node for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler)]
        return [h.lineno for h in handlers if h.type is None or "BaseException" in ast.unparse(h.type)]

    assert greedy(ast.parse("try: ...\nexcept (OSError, BaseException): ...")) == [2]
    assert {str(path): lines for path in SOURCES if (lines := greedy(ast.parse(path.read_text())))} == {}


def test_the_page_about_architecture_names_what_there_is() -> None:
    package = ROOT / "src" / "headway"
    page = (ROOT / "docs" / "architecture.md").read_text()
    told = set(re.findall(r"`((?:\w+/)*\w+(?:\.py|/))`", page))
    there = {path.name for path in package.glob("[!_]*.py")} | {f"{path.name}/" for path in package.glob("[!_]*/")}
    assert there - told == set()
    assert {name for name in told if not any((root / name).exists() for root in (package, ROOT))} == set()


def test_every_make_command_in_the_documents_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z]+):.*## ", makefile, re.MULTILINE))
    told = {
        (path.name, target)
        for path in DOCUMENTS
        for target in re.findall(r"(?:^|`)make (?:[A-Z]+=\S+ )*([a-z]+)", path.read_text(), re.MULTILINE)
    }
    assert {target for _, target in told} >= {"run", "test"}
    assert {(name, target) for name, target in told if target not in targets} == set()


def test_a_wheel_carries_every_file_of_the_package(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=60)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if name.startswith("headway/")}
    outside = {
        path.relative_to(ROOT / "src").as_posix()
        for path in (ROOT / "src").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert "headway/py.typed" in inside
    assert inside == outside
