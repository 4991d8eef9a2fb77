"""What `from headway import …` gives, and what it costs."""

import subprocess
import sys

import pytest

import headway


@pytest.mark.parametrize("name", headway.__all__)
def test_each_public_name_is_there(name: str) -> None:
    assert hasattr(headway, name)
    assert name in dir(headway)


def test_every_home_is_public_and_the_other_way_round() -> None:
    assert {*headway._HOMES, "__version__"} == {*headway.__all__}


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        _ = headway.nonsense


def test_the_package_alone_imports_nothing_heavy() -> None:
    program = "import sys, headway; print(sorted({'asyncio', 'msgspec', 'sqlite3'} & {*sys.modules}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
