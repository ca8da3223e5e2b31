"""Where a deployment's code comes from: built here at most once, or a ready zip from a disk or a bucket."""

import hashlib
import io
import zipfile

import pytest

from pypicloud_s3sync.deploy.bundle import Bundle, BundleSpec, Target
from pypicloud_s3sync.deploy.bundle import source as module
from pypicloud_s3sync.deploy.bundle.source import BundleSource
from pypicloud_s3sync.exceptions import AwsError, BundleError
from support.fakes import FakeClients, make_settings, refusal

URI = "s3://artifacts/bundles/sync.zip"


def zip_with(*names):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name in names:
            archive.writestr(name, name)
    return data.getvalue()


READY = zip_with("lambda_script.py", "pypicloud_s3sync/handler.py")


@pytest.fixture
def ready(tmp_path):
    path = tmp_path / "ready.zip"
    path.write_bytes(READY)
    return path


def ignore(progress):
    """Report to nobody."""


def source(**settings):
    return BundleSource(make_settings(**settings))


@pytest.fixture
def built(monkeypatch):
    """Stands for the build: the specs it was asked for."""
    specs = []

    def build(spec, progress):
        specs.append(spec)
        progress("3 distributions", 1, 6)
        progress("zipped", 5, 6)
        return Bundle(b"built", 5)

    monkeypatch.setattr(module, "build", build)
    monkeypatch.setattr(module, "fingerprint", lambda spec: f"fingerprint of {spec.cache} {spec.target}")
    return specs


@pytest.fixture
def bucket(monkeypatch):
    """Stands for S3: what ``download_file`` finds, or the error it ends in."""
    clients = FakeClients()
    clients.objects = {("artifacts", "bundles/sync.zip"): READY}

    class Client:
        def download_file(self, bucket, key, path):
            found = clients.answer("download_file", {"bucket": bucket, "key": key, "path": path})
            if found == {}:
                with open(path, "wb") as file:
                    file.write(clients.objects[bucket, key])

    monkeypatch.setattr(module, "Clients", lambda settings: {"s3": Client()})
    return clients


# Built here


def test_the_bundle_is_built_for_what_the_settings_say(built):
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


def test_the_bundle_is_built_once_however_often_it_is_asked_for(built):
    asked = source()
    assert asked.get(ignore) is asked.get(ignore)
    assert len(built) == 1


def test_the_fingerprint_is_told_without_building(built):
    assert source().fingerprint() == "fingerprint of dynamo python3.12 on x86_64"
    assert built == []


def test_progress_is_reported_step_by_step(built):
    told = []
    source().get(told.append)
    assert [(p.step, p.state, p.message, p.done, p.total) for p in told] == [
        ("build bundle", "running", "3 distributions", 1, 6),
        ("build bundle", "running", "zipped", 5, 6),
        ("build bundle", "done", "built the bundle, 0.0 MB", None, None),
    ]


def test_a_build_that_fails_is_tried_again_when_it_is_asked_for_again(monkeypatch):
    results = [BundleError("no wheel"), Bundle(b"x", 1)]

    def build(spec, progress):
        result = results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    monkeypatch.setattr(module, "build", build)
    asked = source()
    with pytest.raises(BundleError):
        asked.get(ignore)
    assert asked.get(ignore) == Bundle(b"x", 1)


# A ready zip


def test_a_ready_zip_is_taken_and_nothing_is_built(built, ready):
    told = []
    assert source(s3sync__bundle=str(ready)).get(told.append).data == READY
    assert built == []
    assert told == []


def test_the_fingerprint_of_a_ready_zip_is_its_checksum(ready):
    assert source(s3sync__bundle=str(ready)).fingerprint() == hashlib.sha256(READY).hexdigest()


def test_another_ready_zip_has_another_fingerprint(ready):
    before = source(s3sync__bundle=str(ready)).fingerprint()
    ready.write_bytes(zip_with("lambda_script.py", "pypicloud_s3sync/handler.py", "more"))
    assert source(s3sync__bundle=str(ready)).fingerprint() != before


def test_a_ready_zip_that_changes_during_a_run_is_read_once(ready):
    """What was planned with is what is sent."""
    asked = source(s3sync__bundle=str(ready))
    planned = asked.fingerprint()
    ready.write_bytes(b"something else")
    assert hashlib.sha256(asked.get(ignore).data).hexdigest() == planned


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (None, "cannot be read"),
        (b"no zip", "is no zip"),
        (zip_with("lambda_script.py"), "has no pypicloud_s3sync/handler.py"),
        (zip_with("pypicloud_s3sync/handler.py"), "has no lambda_script.py"),
    ],
    ids=["missing", "no zip", "no handler", "no lambda_script"],
)
def test_what_is_no_bundle_is_refused_by_its_path(tmp_path, data, says):
    path = tmp_path / "given.zip"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(BundleError, match=says) as refused:
        source(s3sync__bundle=str(path)).fingerprint()
    assert "given.zip" in str(refused.value)
    assert "\n" not in str(refused.value)


# From a bucket


def test_a_zip_in_a_bucket_is_fetched_once(bucket):
    asked = source(s3sync__bundle=URI)
    assert asked.get(ignore).data == READY
    assert asked.fingerprint() == hashlib.sha256(READY).hexdigest()
    assert bucket.operations == ["download_file"]
    fetched = bucket.arguments("download_file")
    assert (fetched["bucket"], fetched["key"]) == ("artifacts", "bundles/sync.zip")


def test_what_was_fetched_leaves_no_file_behind(bucket):
    from pathlib import Path

    source(s3sync__bundle=URI).get(ignore)
    assert not Path(bucket.arguments("download_file")["path"]).parent.exists()


@pytest.mark.parametrize("uri", ["s3://", "s3://artifacts", "s3://artifacts/"])
def test_an_address_without_an_object_is_refused_with_the_form_it_takes(bucket, uri):
    with pytest.raises(BundleError, match=f"{uri} has no key: write s3://bucket/key"):
        source(s3sync__bundle=uri).get(ignore)
    assert bucket.operations == []


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (refusal("403", "Forbidden"), f"AccessDenied for s3:GetObject on {URI}"),
        (refusal("404", "Not Found"), f"s3:GetObject on {URI} failed: 404: Not Found"),
    ],
    ids=["forbidden", "missing"],
)
def test_a_zip_that_cannot_be_fetched_is_named(bucket, error, says):
    bucket.answers["download_file"] = error
    with pytest.raises(AwsError, match=says):
        source(s3sync__bundle=URI).get(ignore)


def test_an_object_that_is_no_bundle_is_refused(bucket):
    bucket.objects["artifacts", "bundles/sync.zip"] = b"no zip"
    with pytest.raises(BundleError, match="is no zip"):
        source(s3sync__bundle=URI).get(ignore)


def test_an_object_that_is_no_bundle_is_named_by_its_address(bucket):
    """A temporary file that is gone by then says nothing to a reader."""
    bucket.objects["artifacts", "bundles/sync.zip"] = b"no zip"
    with pytest.raises(BundleError) as refused:
        source(s3sync__bundle=URI).get(ignore)
    assert URI in str(refused.value)
