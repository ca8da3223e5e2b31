"""Damaged metadata is an error of one line that names the distribution and its remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from pypicloud_s3sync.deploy.bundle import BundleSpec, fingerprint, host_target
from pypicloud_s3sync.deploy.bundle.closure import parts_of
from pypicloud_s3sync.deploy.bundle.collect import distribution_files
from pypicloud_s3sync.exceptions import BundleError
from support.site_packages import SitePackages

SPEC = BundleSpec(host_target(), "dynamo", extra_packages=("acme-broken",))
HEAD = "Metadata-Version: 2.1\nName: acme-broken\nVersion: 1.0\n"


@pytest.fixture
def info(site_packages: SitePackages) -> Path:
    """The ``dist-info`` of a distribution that can be damaged."""
    site_packages.install("acme_broken", {"acme_broken.py": ""})
    return site_packages.path / "acme_broken-1.0.dist-info"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("METADATA", None),
        ("METADATA", b""),
        ("METADATA", b"Metadata-Version: 2.1\nName: acme-broken\n"),
        ("METADATA", b"Metadata-Version: 2.1\nVersion: 1.0\n"),
        ("METADATA", b"Metadata-Version: 2.1\nName: acme-broken\nVersion: None\n"),
        ("METADATA", f"{HEAD}Requires-Dist: pyramid==None\n".encode()),
        ("METADATA", f"{HEAD}Requires-Dist: <<<\n".encode()),
        ("METADATA", f"{HEAD}Requires-Dist: six; nonsense == '1'\n".encode()),
        ("METADATA", f"{HEAD}Requires-Python: three\n".encode()),
        ("METADATA", b"\xff\xfe\x00"),
        ("RECORD", b"\xff\xfe\x00,,\n"),
        ("RECORD", b"acme_broken.py\n"),
        ("RECORD", b'"acme_broken.py,\n'),
        ("RECORD", None),
        ("WHEEL", b"Tag: nonsense\n"),
        ("WHEEL", b"\xff"),
        ("direct_url.json", b"{"),
        ("direct_url.json", b"[]"),
    ],
    ids=str,
)
def test_damaged_metadata_is_named_with_its_remedy(info: Path, name: str, content: bytes | None) -> None:
    if content is None:
        (info / name).unlink()
    else:
        (info / name).write_bytes(content)
    for use in (parts_of, fingerprint):
        with pytest.raises(BundleError, match="acme-broken") as refused:
            use(SPEC)
        message = str(refused.value)
        assert "pip install --force-reinstall --no-deps" in message
        assert message.endswith(" acme-broken")
        assert "\n" not in message


def test_requirements_of_python_in_several_lines_are_all_read(info: Path) -> None:
    (info / "METADATA").write_text(f"{HEAD}Requires-Python: >=3\nRequires-Python: <3\n")
    with pytest.raises(BundleError, match=r"acme-broken 1\.0 is installed here, but needs Python"):
        parts_of(SPEC)


@pytest.mark.parametrize(
    "name", ["a\tb.py", "a\nb.py", 'a"b.py', "a,b.py", "é.py", "a\u2028b.py", "a\x1cb.py"]
)
def test_a_file_is_found_whatever_its_name_contains(site_packages: SitePackages, name: str) -> None:
    site_packages.install("acme_names", {f"acme_names/{name}": ""})
    spec = BundleSpec(host_target(), "dynamo", extra_packages=("acme-names",))
    (part,) = [part for part in parts_of(spec) if part.name == "acme-names"]
    assert f"acme_names/{name}" in distribution_files(part.name, part.distribution)
