"""What to build, what a bundle is, and the sizes that Lambda accepts."""

from __future__ import annotations

import pytest

from pypicloud_s3sync.deploy.bundle import UNZIPPED_LIMIT, Bundle, BundleSpec, Target
from pypicloud_s3sync.deploy.bundle.models import check_unzipped_size
from pypicloud_s3sync.exceptions import BundleError


def test_the_checksum_has_the_form_of_lambdas() -> None:
    bundle = Bundle(b"", 0)
    assert bundle.sha256 == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert bundle.code_sha256 == "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="


def test_a_target_has_a_python_a_processor_and_a_c_library() -> None:
    target = Target("python3.11", "arm64")
    assert (target.python, target.machine, target.glibc) == ((3, 11), "aarch64", (2, 26))
    assert str(target) == "python3.11 on arm64"


@pytest.mark.parametrize(
    ("runtime", "architecture", "message"),
    [
        ("python3.8", "x86_64", "Invalid value 'python3.8' for runtime: expected one of python3.11, "),
        ("python3.12", "riscv", "Invalid value 'riscv' for architecture: expected one of x86_64, arm64"),
    ],
)
def test_an_unknown_target_is_refused_with_the_known_ones(
    runtime: str, architecture: str, message: str
) -> None:
    with pytest.raises(BundleError, match=message):
        Target(runtime, architecture)


def test_a_spec_does_not_show_the_password_of_the_database() -> None:
    spec = BundleSpec(Target("python3.12"), "sql", db_url="mysql+pymysql://me:secret@db/ppc")
    assert "secret" not in repr(spec)


def test_lambda_accepts_250_mib_unzipped_and_no_more() -> None:
    check_unzipped_size(UNZIPPED_LIMIT, "the bundle")
    with pytest.raises(
        BundleError, match=r"the bundle has 251 MiB unzipped, but Lambda accepts at most 250 MiB"
    ):
        check_unzipped_size(UNZIPPED_LIMIT + 1024**2, "the bundle")
