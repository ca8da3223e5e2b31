"""Settings and their variables: the same values as those of pypicloud's own class."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pypicloud.util import EnvironSettings as PypicloudSettings

from pypicloud_s3sync.config.environ import EnvironSettings
from support.characters import UTF_8

NAMES = ("pypi.db", "db.url", "db.region_name", "storage.bucket", "s3sync.function_name")
VALUES = st.text(UTF_8, max_size=3)
SETTINGS = st.dictionaries(st.sampled_from(NAMES), VALUES)
VARIABLES = st.sampled_from(("PPC_PYPI_DB", "PPC_DB_URL", "PPC_DB_EXTRA", "PPC_STORAGE_", "DB_URL"))


def read(settings: Any, changed: tuple[str, str]) -> object:
    """Return all that can be read of settings, after the prefixes are read and one of them is changed."""
    first = [settings.get(name, "default") for name in NAMES]
    copy = settings.clone()
    for prefix in ("db.", "storage."):
        copy.read_prefix_from_environ(prefix)
    before = {name: copy[name] for name in copy}
    copy[changed[0]] = changed[1]
    after = {name: copy[name] for name in copy}
    return first, before, after, list(settings)


@given(SETTINGS, st.dictionaries(VARIABLES, VALUES), st.tuples(st.sampled_from(NAMES), VALUES))
def test_variables_override_settings_as_in_pypicloud(
    settings: dict[str, str], variables: dict[str, str], changed: tuple[str, str]
) -> None:
    expected = read(PypicloudSettings(dict(settings), dict(variables)), changed)
    assert read(EnvironSettings(settings, variables), changed) == expected
