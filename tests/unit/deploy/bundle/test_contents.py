"""Which files the tables let into a bundle."""

from __future__ import annotations

import pytest

from pypicloud_s3sync.deploy.bundle.contents import file_filter, is_own_file_wanted


@pytest.mark.parametrize(
    ("distribution", "path", "wanted"),
    [
        ("acme", "acme/__init__.py", True),
        ("acme", "acme/_speedups.so", True),
        ("acme", "acme/data.json", True),
        ("acme", "acme-1.0.dist-info/METADATA", True),
        ("acme", "acme-1.0.dist-info/RECORD", False),
        ("acme", "acme-1.0.dist-info/licenses/LICENSE", False),
        ("acme", "acme/types.pyi", False),
        ("acme", "acme/t32.exe", False),
        ("acme", "acme/__pycache__/__init__.cpython-311.pyc", False),
        ("acme", "acme/tests/test_acme.py", False),
        ("acme", "acme.pth", False),
        ("cffi", "cffi/api.py", False),
        ("cffi", "_cffi_backend.cpython-312-x86_64-linux-gnu.so", True),
        ("setuptools", "setuptools/__init__.py", False),
        ("setuptools", "pkg_resources/__init__.py", True),
        ("pypicloud", "pypicloud/cache/dynamo.py", True),
        ("pypicloud", "pypicloud/views/api.py", False),
        ("pypicloud", "pypicloud/static/js/admin.js", False),
        ("sqlalchemy", "sqlalchemy/cresultproxy.so", False),
        ("zope-interface", "zope/interface/_zope_interface_coptimizations.so", False),
        ("zope-interface", "zope/interface/interface.py", True),
        ("sqlalchemy", "sqlalchemy/engine/base.py", True),
    ],
)
def test_a_file_of_a_distribution_goes_in_if_the_handler_can_need_it(
    distribution: str, path: str, wanted: bool
) -> None:
    assert file_filter(distribution)(path) is wanted


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("__init__.py", True),
        ("handler.py", True),
        ("caches/dynamo.py", True),
        ("sync/events.py", True),
        ("reconcile/passes.py", True),
        ("reconcile/scans/base.py", True),
        ("reconcile/known_objects.py", True),
        ("reconcile/run.py", False),
        ("caches/key_repairs.py", False),
        ("py.typed", False),
        ("embedded.py", False),
        ("deploy/executor.py", False),
        ("cli/main.py", False),
        ("web/static/panel.js", False),
        ("sync/__pycache__/events.cpython-311.pyc", False),
    ],
)
def test_a_file_of_this_package_goes_in_if_the_handler_imports_it(path: str, wanted: bool) -> None:
    assert is_own_file_wanted(path) is wanted
