"""The check of a bundle prepares itself while the bundle is built."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pypicloud_s3sync.deploy.bundle import verify
from pypicloud_s3sync.deploy.bundle.scripts import probe
from pypicloud_s3sync.exceptions import BundleError


@pytest.fixture
def sdk(tmp_path: Path) -> Path:
    """Return a directory with sources like those of the SDK."""
    for name, source in {
        "botocore/__init__.py": "VALUE = 'compiled'",
        "botocore/retries/standard.py": "",
        "botocore/later.py": "for another version of Python",
        "botocore/data/notes.py": "",
        "botocore/__pycache__/old.py": "",
        "urllib3/util/url.py": "",
        "boto3/session.py": "",
    }.items():
        path = tmp_path / "sdk" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    return tmp_path / "sdk"


class TestSources:
    def test_those_that_a_function_imports_are_compiled_and_nothing_is_written(self, sdk: Path) -> None:
        before = sorted(sdk.rglob("*"))
        compiled = probe.compile_sources(str(sdk))
        names = {Path(path).relative_to(sdk).as_posix() for path in compiled}
        assert names == {"botocore/__init__.py", "botocore/retries/standard.py", "urllib3/util/url.py"}
        assert sorted(sdk.rglob("*")) == before

    def test_imports_take_the_compiled_code(self, sdk: Path) -> None:
        program = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(Path(probe.__file__).parent)!r})
import probe
sdk = Path({str(sdk)!r})
probe.use(probe.compile_sources(str(sdk)))
(sdk / "botocore" / "__init__.py").write_text("VALUE = 'from the source'")
(sdk / "botocore" / "other.py").write_text("VALUE = 'from the source'")
sys.path.insert(0, str(sdk))
import botocore.other
print(botocore.VALUE, botocore.other.VALUE, sep=", ")
"""
        command = [sys.executable, "-B", "-c", program]
        answer = subprocess.run(command, capture_output=True, text=True, check=True)
        assert answer.stdout == "compiled, from the source\n"


class TestInterpreter:
    def test_it_is_ended_if_the_build_fails(self) -> None:
        checks: list[verify.Check] = []

        def build() -> None:
            with verify.checking(sys.executable) as check:
                assert check is not None
                assert check.process.poll() is None
                checks.append(check)
                raise BundleError("too large")

        with pytest.raises(BundleError, match="too large"):
            build()
        (check,) = checks
        assert check.process.returncode is not None
        assert not check.sdk.exists()

    @pytest.mark.parametrize(("own", "compiles"), [(True, False), (False, True)])
    def test_it_compiles_the_sdk_unless_the_host_has_its_bytecode(
        self, tmp_path: Path, own: bool, compiles: bool
    ) -> None:
        other = tmp_path / "python"
        other.symlink_to(sys.executable)
        with verify.checking(sys.executable if own else str(other)) as check:
            assert check is not None
            assert isinstance(check.process.args, list)
            assert (check.process.args[-1] == str(check.sdk)) is compiles

    def test_there_is_no_check_without_one(self) -> None:
        with verify.checking(None) as check:
            assert check is None

    def test_one_that_does_not_start_is_named(self, tmp_path: Path) -> None:
        message = "python cannot verify the bundle"
        with pytest.raises(BundleError, match=message), verify.checking(str(tmp_path / "python")):
            pass

    def test_a_host_without_the_sdk_is_told_to_install_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(verify, "find_spec", lambda name: None)
        message = "not installed here: pip install boto3"
        with pytest.raises(BundleError, match=message), verify.checking(sys.executable):
            pass
