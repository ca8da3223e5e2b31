"""The code of a deployment is built at most once, or is a ready zip from a path or a bucket."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from pypicloud_s3sync.config.settings import SyncSettings
from pypicloud_s3sync.deploy import Progress
from pypicloud_s3sync.deploy.bundle import BuildListener, Bundle, BundleSpec, Target
from pypicloud_s3sync.deploy.bundle import source as module
from pypicloud_s3sync.deploy.bundle.source import BundleSource
from pypicloud_s3sync.exceptions import AwsError, BundleError
from support.fakes import FakeClients, make_settings, refusal

URI = "s3://artifacts/bundles/sync.zip"


def zip_with(*names: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name in names:
            archive.writestr(name, name)
    return data.getvalue()


READY = zip_with("lambda_script.py", "pypicloud_s3sync/handler.py")


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    path = tmp_path / "ready.zip"
    path.write_bytes(READY)
    return path


def ignore(progress: Progress) -> None:
    """Report nothing."""


def source(**settings: str) -> BundleSource:
    return BundleSource(make_settings(**settings))


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[BundleSpec]:
    """Replace the build; the specs that were built."""
    specs = []

    def build(spec: BundleSpec, listener: BuildListener) -> Bundle:
        specs.append(spec)
        listener("3 distributions", 1, 6)
        listener("zipped", 5, 6)
        return Bundle(b"built", 5)

    monkeypatch.setattr(module, "build", build)
    monkeypatch.setattr(module, "fingerprint", lambda spec: f"fingerprint of {spec.cache} {spec.target}")
    return specs


class FakeBucket(FakeClients):
    """Clients whose S3 has objects, or raises the answer to ``download_file`` and ``head_object``."""

    def __init__(self) -> None:
        super().__init__()
        self.objects = {("artifacts", "bundles/sync.zip"): READY}

    def __call__(self, settings: SyncSettings, region: str | None) -> FakeBucket:
        return self

    def __getitem__(self, service: str) -> Any:
        return self

    def head_object(self, **arguments: str) -> dict[str, Any]:
        self.answer("head_object", arguments)
        body = self.objects[arguments["Bucket"], arguments["Key"]]
        return {"ETag": f'"{hashlib.md5(body).hexdigest()}"', "ContentLength": len(body)}

    def download_file(self, bucket: str, key: str, path: str) -> None:
        self.answer("download_file", {"bucket": bucket, "key": key, "path": path})
        Path(path).write_bytes(self.objects[bucket, key])


@pytest.fixture
def bucket() -> FakeBucket:
    """S3 with a ready zip."""
    return FakeBucket()


def in_bucket(bucket: FakeBucket, uri: str = URI) -> BundleSource:
    return BundleSource(make_settings(s3sync__bundle=uri), bucket)


# Built


def test_the_bundle_is_built_for_the_settings(built: list[BundleSpec]) -> None:
    settings = {
        "s3sync__runtime": "python3.13",
        "s3sync__architecture": "arm64",
        "s3sync__extra_packages": "one two",
        "pypi__db": "redis",
        "db__url": "redis://:pw@cache.example",
    }
    assert source(**settings).get(ignore) == Bundle(b"built", 5)
    target = Target("python3.13", "arm64")
    assert built == [BundleSpec(target, "redis", "redis://:pw@cache.example", ("one", "two"))]


def test_the_bundle_is_built_only_once(built: list[BundleSpec]) -> None:
    bundle_source = source()
    assert bundle_source.get(ignore) is bundle_source.get(ignore)
    assert len(built) == 1


def test_the_fingerprint_needs_no_build(built: list[BundleSpec]) -> None:
    assert source().fingerprint() == "fingerprint of dynamo python3.12 on x86_64"
    assert built == []


def test_each_step_of_the_build_is_reported(built: list[BundleSpec]) -> None:
    reported: list[Progress] = []
    source().get(reported.append)
    assert [(p.step, p.state, p.message, p.done, p.total) for p in reported] == [
        ("build bundle", "running", "3 distributions", 1, 6),
        ("build bundle", "running", "zipped", 5, 6),
        ("build bundle", "done", "built the bundle, 0.0 MB", None, None),
    ]


def test_a_failed_build_is_retried_on_the_next_call(monkeypatch: pytest.MonkeyPatch) -> None:
    results: list[BundleError | Bundle] = [BundleError("no wheel"), Bundle(b"x", 1)]

    def build(spec: BundleSpec, listener: BuildListener) -> Bundle:
        result = results.pop(0)
        if isinstance(result, BundleError):
            raise result
        return result

    monkeypatch.setattr(module, "build", build)
    bundle_source = source()
    with pytest.raises(BundleError):
        bundle_source.get(ignore)
    assert bundle_source.get(ignore) == Bundle(b"x", 1)


# A ready zip


def test_a_ready_zip_is_used_without_a_build(built: list[BundleSpec], ready: Path) -> None:
    reported: list[Progress] = []
    assert source(s3sync__bundle=str(ready)).get(reported.append).data == READY
    assert built == []
    assert reported == []


def test_the_fingerprint_of_a_ready_zip_is_its_checksum(ready: Path) -> None:
    assert source(s3sync__bundle=str(ready)).fingerprint() == hashlib.sha256(READY).hexdigest()


def test_a_ready_zip_that_changes_during_a_run_is_read_once(ready: Path) -> None:
    """The bundle that is deployed is the one that was planned."""
    bundle_source = source(s3sync__bundle=str(ready))
    planned = bundle_source.fingerprint()
    ready.write_bytes(b"something else")
    assert hashlib.sha256(bundle_source.get(ignore).data).hexdigest() == planned


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "cannot read .*given.zip"),
        (b"text", "given.zip is not a zip"),
        (zip_with("lambda_script.py"), "given.zip does not contain pypicloud_s3sync/handler.py"),
        (zip_with("pypicloud_s3sync/handler.py"), "given.zip does not contain lambda_script.py"),
    ],
    ids=["missing", "not a zip", "no handler", "no lambda_script"],
)
def test_a_file_that_is_not_a_bundle_is_named(tmp_path: Path, data: bytes | None, message: str) -> None:
    path = tmp_path / "given.zip"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(BundleError, match=message) as caught:
        source(s3sync__bundle=str(path)).fingerprint()
    assert "\n" not in str(caught.value)


# A ready zip in a bucket


def test_a_zip_in_a_bucket_is_fetched_once(bucket: FakeBucket) -> None:
    bundle_source = in_bucket(bucket)
    assert bundle_source.get(ignore) is bundle_source.get(ignore)
    assert bundle_source.get(ignore).data == READY
    assert bucket.operations == ["download_file"]
    fetched = bucket.arguments("download_file")
    assert (fetched["bucket"], fetched["key"]) == ("artifacts", "bundles/sync.zip")


def test_the_fingerprint_of_a_zip_in_a_bucket_needs_no_download(bucket: FakeBucket) -> None:
    before = in_bucket(bucket).fingerprint()
    assert in_bucket(bucket).fingerprint() == before
    bucket.objects["artifacts", "bundles/sync.zip"] += b"more"
    assert in_bucket(bucket).fingerprint() != before
    assert bucket.calls == [("head_object", {"Bucket": "artifacts", "Key": "bundles/sync.zip"})] * 3


def test_fetching_leaves_no_temporary_file(bucket: FakeBucket) -> None:
    in_bucket(bucket).get(ignore)
    assert not Path(bucket.arguments("download_file")["path"]).parent.exists()


#: What reads a zip in a bucket, and how.
READS = {"download_file": lambda source: source.get(ignore), "head_object": BundleSource.fingerprint}


@pytest.mark.parametrize("operation", READS)
@pytest.mark.parametrize(
    ("error", "expected", "message"),
    [
        (refusal("403", "Forbidden"), AwsError, f"AccessDenied for s3:GetObject on {URI}"),
        (
            refusal("404", "Not Found"),
            BundleError,
            f"{URI} does not exist: upload the zip, or correct s3sync",
        ),
        (refusal("SlowDown"), AwsError, f"s3:GetObject on {URI} failed: SlowDown"),
    ],
    ids=["forbidden", "missing", "other"],
)
def test_a_zip_that_cannot_be_read_is_named(
    bucket: FakeBucket, operation: str, error: Exception, expected: type[Exception], message: str
) -> None:
    bucket.answers[operation] = error
    with pytest.raises(expected, match=message):
        READS[operation](in_bucket(bucket))


def test_an_object_that_is_not_a_bundle_is_named_by_its_address(bucket: FakeBucket) -> None:
    """The path of a temporary file would mean nothing to the user."""
    bucket.objects["artifacts", "bundles/sync.zip"] = b"text"
    with pytest.raises(BundleError, match=f"{URI} is not a zip"):
        in_bucket(bucket).get(ignore)


def rediss(tmp_path: Path) -> dict[str, str]:
    """Return the settings of a cache whose URL names a certificate."""
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----")
    url = f"rediss://cache.example?ssl_ca_certs={tmp_path}/ca.pem"
    return {"pypi__db": "redis", "db__url": url}


def test_a_build_carries_the_certificates_of_the_cache(built: list[BundleSpec], tmp_path: Path) -> None:
    source(**rediss(tmp_path)).get(ignore)
    assert built[0].files == (("certificates/ssl_ca_certs.pem", f"{tmp_path}/ca.pem"),)


def test_a_ready_zip_without_the_certificates_of_the_cache_is_refused(ready: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"does not contain certificates/ssl_ca_certs\.pem"):
        source(**rediss(tmp_path), s3sync__bundle=str(ready)).get(ignore)
