"""What type checkers make of the package."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import headway

SOURCE = Path(headway.__file__).parent.parent
ENVIRONMENT = Path(sys.executable).parent


def completeness(package: str, source: Path, empty: Path) -> dict[str, Any]:
    """What basedpyright says about the types that a package in the folder `source` exports."""
    # It asks the first python of the PATH where packages are, whatever --pythonpath says; from an empty folder, since
    # the settings of a project are not for its users.
    path = os.pathsep.join([str(ENVIRONMENT), os.environ.get("PATH", os.defpath)])
    done = subprocess.run(
        [sys.executable, "-m", "basedpyright", "--verifytypes", package, "--ignoreexternal", "--outputjson"],
        cwd=empty,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stdout.startswith("{"), done.stdout + done.stderr
    report = json.loads(done.stdout)["typeCompleteness"]
    assert isinstance(report, dict)
    assert Path(report["packageRootDirectory"]).samefile(source / package), "it looked at another package"
    return report


def flaws(report: dict[str, Any]) -> list[str]:
    """Where the type of a symbol is unknown, or left to each type checker to infer."""
    found = [
        f"{said.get('file', '')}:{said['range']['start']['line'] + 1 if 'range' in said else ''}: "
        f"{symbol['name']}: {' '.join(said['message'].split())}"
        for symbol in report["symbols"]
        if not symbol["isTypeKnown"] or symbol["isTypeAmbiguous"]
        for said in symbol["diagnostics"]
    ]
    return sorted(found, key=lambda line: "partially unknown" in line)  # those follow from the others


def test_every_public_type_is_known_and_none_is_left_to_be_inferred(tmp_path: Path) -> None:
    report = completeness("headway", SOURCE, tmp_path)
    counts = report["exportedSymbolCounts"]
    assert (counts["withAmbiguousType"], counts["withUnknownType"]) == (0, 0), "\n".join(flaws(report))
    assert report["completenessScore"] == 1
    assert counts["withKnownType"] > len(headway.__all__)


def test_a_type_left_to_be_inferred_is_found(tmp_path: Path) -> None:
    package = tmp_path / "source" / "sample"
    package.mkdir(parents=True)
    (package / "py.typed").touch()
    (package / "__init__.py").write_text("known: int = 1\ninferred = known.bit_length()\n")
    report = completeness("sample", package.parent, tmp_path)
    assert report["exportedSymbolCounts"]["withKnownType"] == 1
    assert len(flaws(report)) == 1
    assert f"{package / '__init__.py'}:2: sample.inferred: " in flaws(report)[0]
