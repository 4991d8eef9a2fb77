"""What `from headway import …` gives, and what it costs."""

import subprocess
import sys
from types import ModuleType

import pytest

import headway
import headway.client
import headway.server

PACKAGES = [headway, headway.client, headway.server]
NAMES = [(package, name) for package in PACKAGES for name in package.__all__]


@pytest.mark.parametrize(("package", "name"), NAMES)
def test_each_public_name_is_there(package: ModuleType, name: str) -> None:
    assert hasattr(package, name)
    assert name in dir(package)


def test_every_home_is_public_and_the_other_way_round() -> None:
    assert {*headway._HOMES, "__version__"} == {*headway.__all__}


@pytest.mark.parametrize("package", PACKAGES)
def test_another_name_is_an_attribute_error(package: ModuleType) -> None:
    with pytest.raises(AttributeError, match=f"module '{package.__name__}' has no attribute 'nonsense'"):
        _ = package.nonsense


def test_the_package_alone_imports_nothing_heavy() -> None:
    program = "import sys, headway; print(sorted({'asyncio', 'msgspec', 'sqlite3'} & {*sys.modules}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
