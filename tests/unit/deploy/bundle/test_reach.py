"""Which modules a bundle's handler can import, from what the sources say."""

from __future__ import annotations

from pathlib import Path

import pytest

from pypicloud_s3sync.deploy.bundle.reach import reachable


def reached(tmp_path: Path, sources: dict[str, str], *imported: str) -> set[str]:
    """Return what the file ``root.py`` reaches, without itself."""
    files = {}
    for number, (name, source) in enumerate(sources.items()):
        files[name] = tmp_path / str(number)
        files[name].write_text(source)
    return reachable(files, ["root.py"], imported) - {"root.py"}


@pytest.mark.parametrize(
    "statement",
    [
        "import acme.rare",
        "import acme.rare as other",
        "from acme import rare",
        "from acme.rare import name",
        "def path():\n    from acme import rare",
        "class Path:\n    import acme.rare",
        "try:\n    pass\nexcept ImportError:\n    import acme.rare",
        "try:\n    pass\nfinally:\n    import acme.rare",
        "try:\n    pass\nexcept* OSError:\n    import acme.rare",
        "if x:\n    pass\nelif y:\n    import acme.rare",
        "for x in y:\n    pass\nelse:\n    import acme.rare",
        "async def path():\n    async with x:\n        import acme.rare",
        "match x:\n    case 1:\n        import acme.rare",
        "if not TYPE_CHECKING:\n    import acme.rare",
        "if TYPE_CHECKING:\n    pass\nelse:\n    import acme.rare",
        "import_module('acme.rare')",
        'NAMES = {"rare": "acme.rare.Class"}',
        "f = lambda: __import__('acme.rare')",
        "from acme import *",
    ],
)
def test_a_module_is_reached_however_it_is_imported(tmp_path: Path, statement: str) -> None:
    sources = {"root.py": statement, "acme/__init__.py": "", "acme/rare.py": "", "acme_other.py": ""}
    assert reached(tmp_path, sources) == {"acme/__init__.py", "acme/rare.py"}


@pytest.mark.parametrize(
    "source",
    [
        "from . import rare",
        "from .rare import name",
        "from .. import acme\nfrom ..acme.rare import name",
        "def path():\n    import_module('.rare', __name__)",
        "def __getattr__(name):\n    return import_module(NAMES[name])\n\nNAMES = ['rare']",
        "__getattr__, __all__ = attach(__name__, ['rare'])",
    ],
)
def test_a_module_of_the_same_package_is_reached_by_its_relative_name(tmp_path: Path, source: str) -> None:
    sources = {"root.py": "import top.acme", "top/acme/__init__.py": source, "top/acme/rare.py": ""}
    assert reached(tmp_path, sources) == {"top/acme/__init__.py", "top/acme/rare.py"}


@pytest.mark.parametrize(
    "source",
    [
        "import os",
        "rare = 'rare'",
        "if TYPE_CHECKING:\n    import acme.rare",
        "if typing.TYPE_CHECKING:\n    from acme import rare",
        "'''It could import acme.rare, but does not.'''",
    ],
)
def test_what_nothing_imports_is_not_reached(tmp_path: Path, source: str) -> None:
    sources = {"root.py": source, "acme/__init__.py": "", "acme/rare.py": ""}
    assert reached(tmp_path, sources) == set()


def test_an_import_is_followed_through_other_modules_and_brings_the_packages_above(tmp_path: Path) -> None:
    sources = {
        "root.py": "import one",
        "one.py": "import top.middle.low",
        "top/__init__.py": "import two",
        "top/middle/low.py": "import one",
        "top/middle/other.py": "",
        "two.py": "",
    }
    assert reached(tmp_path, sources) == {"one.py", "top/__init__.py", "top/middle/low.py", "two.py"}


def test_the_given_modules_and_what_they_import_are_reached(tmp_path: Path) -> None:
    sources = {"root.py": "", "acme/__init__.py": "", "acme/dialect.py": "import two", "two.py": ""}
    assert reached(tmp_path, sources, "acme.dialect", "absent") == set(sources) - {"root.py"}


def test_a_binary_is_a_module_and_data_comes_with_its_package(tmp_path: Path) -> None:
    sources = {
        "root.py": "import acme.fast",
        "acme/__init__.py": "",
        "acme/fast.cpython-311-x86_64-linux-gnu.so": "",
        "acme/slow.abi3.so": "",
        "acme/data/names.json": "",
        "acme/pure/__init__.py": "",
        "other/data.json": "",
        "README": "",
    }
    expected = {"acme/__init__.py", "acme/fast.cpython-311-x86_64-linux-gnu.so", "acme/data/names.json"}
    assert reached(tmp_path, sources) == expected


def test_of_a_source_for_another_python_only_the_strings_are_read(tmp_path: Path) -> None:
    sources = {"root.py": "import new", "new.py": "for = 'acme'", "acme.py": "", "other.py": ""}
    assert reached(tmp_path, sources) == {"new.py", "acme.py"}
