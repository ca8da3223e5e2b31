"""The certificates that ``db.url`` names go into the bundle; any other file of this host is refused."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from pypicloud_s3sync.config.caches import Files, check_cache
from pypicloud_s3sync.exceptions import ConfigError

AUTHORITY = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
SQL = "postgresql+psycopg2://u:hun%3Fter2@db.example/x?application_name=a%20b&"


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """The certificate of an authority."""
    path = tmp_path / "rds ca.pem"
    path.write_text(f"# Amazon RDS\n{AUTHORITY}")
    return path


def check(url: str, backend: str = "sql", **db: str) -> Files:
    return check_cache(backend, {"db.url": url, **db}, emulated=False)


def refusal(url: str, backend: str = "sql", **db: str) -> str:
    with pytest.raises(ConfigError) as caught:
        check(url, backend, **db)
    assert "ter2" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("backend", "url", "option"),
    [
        ("sql", f"{SQL}sslmode=verify-full&sslrootcert=", "sslrootcert"),
        ("sql", f"{SQL}sslcrl=", "sslcrl"),
        ("sql", "mysql+pymysql://u:hun%3Fter2@db.example/x?charset=utf8mb4&ssl_ca=", "ssl_ca"),
        ("redis", "rediss://:hun%3Fter2@cache.example:6380/0?db=1&ssl_ca_certs=", "ssl_ca_certs"),
    ],
)
def test_a_certificate_is_carried_and_named_by_its_path_in_the_function(
    authority: Path, backend: str, url: str, option: str
) -> None:
    files = check(f"{url}{quote(str(authority))}", backend)
    assert files.certificates == {option: str(authority)}
    assert files.db_url is not None
    assert f"{option}=/var/task/certificates/{option}.pem" in files.db_url
    before, after = urlsplit(url), urlsplit(files.db_url)
    assert (before.scheme, before.netloc, before.path) == (after.scheme, after.netloc, after.path)
    assert parse_qs(before.query).items() <= parse_qs(after.query).items()


@pytest.mark.parametrize(
    "url",
    [
        f"{SQL}sslmode=require",
        f"{SQL}sslmode=verify-full&sslrootcert=system",
        f"{SQL}sslrootcert=/var/task/rds.pem",
        "postgresql://u:p@db.example/x",
    ],
)
def test_a_url_without_files_of_this_host_is_unchanged(url: str) -> None:
    assert check(url) == Files({}, url)


@pytest.mark.parametrize(
    ("backend", "url", "message"),
    [
        ("sql", f"{SQL}sslkey=/etc/key.pem", "db.url has sslkey, but a private key is a secret"),
        ("sql", f"{SQL}sslcert=/etc/cert.pem", "db.url has sslcert, but"),
        ("sql", "mysql+pymysql://u:p@h.example/x?ssl_key=/k", "db.url has ssl_key, but"),
        ("sql", "mysql+pymysql://u:p@h.example/x?ssl_cert=/k", "db.url has ssl_cert, but"),
        ("redis", "rediss://h.example?ssl_keyfile=/k", "db.url has ssl_keyfile, but"),
        ("redis", "rediss://h.example?ssl_certfile=/k", "db.url has ssl_certfile, but"),
        ("sql", "mysql+pymysql://u:p@h.example/x?ssl_capath=/c", "a directory that the function lacks"),
        ("redis", "rediss://h.example?ssl_ca_path=/etc/ssl", "name a file with ssl_ca_certs"),
        ("sql", f"{SQL}passfile=/etc/pgpass", "db.url has passfile, a file that the function lacks"),
        ("sql", f"{SQL}service=prod", "db.url has service, a file"),
        ("sql", "mysql+pymysql://u:p@h.example/x?read_default_file=/etc/my.cnf", "has read_default_file"),
        ("sql", f"{SQL}sslmode=verify-full", "add sslrootcert with the path of the certificate"),
        ("sql", f"{SQL}sslmode=verify-ca", "add sslrootcert"),
        (
            "sql",
            f"{SQL}sslrootcert=/nonexistent/ca.pem",
            "cannot read /nonexistent/ca.pem, which sslrootcert in",
        ),
    ],
)
def test_another_file_is_refused_with_its_option(backend: str, url: str, message: str) -> None:
    assert message in refusal(url, backend)


@pytest.mark.parametrize(
    "content",
    ["", "words", AUTHORITY + "-----BEGIN RSA PRIVATE KEY-----\nMIIB\n"],
    ids=["empty", "text", "key"],
)
def test_a_file_that_does_not_contain_only_certificates_is_refused(authority: Path, content: str) -> None:
    authority.write_text(content)
    assert "does not contain only certificates in PEM format" in refusal(f"{SQL}sslrootcert={authority}")


def test_a_file_in_another_setting_is_refused(authority: Path) -> None:
    message = refusal("redis://h.example", "redis", **{"db.ssl_ca_certs": str(authority)})
    assert message.startswith(f"db.ssl_ca_certs names the file {authority}, which the function lacks")
