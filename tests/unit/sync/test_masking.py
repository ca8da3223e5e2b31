from __future__ import annotations

import json
import traceback
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from pypicloud_s3sync.sync.masking import (
    MASK,
    is_secret_name,
    mask,
    mask_values,
    secrets_in_environment,
    secrets_of,
)
from support.secret_urls import SECRET, URLS

#: A password with every character that a URL, JSON, a shell or an ini gives a meaning.
SPECIAL = "Pa%5$\"'@/:?#[]& +ü\\1"


class TestNames:
    @pytest.mark.parametrize(
        "name",
        [
            *("db.aws_secret_access_key", "storage.aws_session_token", "storage.aws_access_key_id"),
            *("session.encrypt_key", "session.validate_key", "auth.ldap.service_password", "auth.password"),
            *("auth.signing_key", "storage.cloud_front_key_string", "storage.storage_account_key"),
            *("user.admin", "db.sslpassword", "db.PASSWD", "db.client_secret", "db.apikey", "dbpassword"),
        ],
    )
    def test_a_setting_that_holds_a_secret_has_a_name_that_says_so(self, name: str) -> None:
        assert is_secret_name(name)
        assert secrets_of([(name, SECRET)]) == [SECRET]

    @pytest.mark.parametrize(
        "name",
        [
            *("pypi.auth", "auth.token_expire", "auth.secret_id", "storage.bucket", "db.region_name"),
            *("storage.cloud_front_key_id", "s3sync.function_name", "auth.ldap.user_dn_format", "db.host"),
        ],
    )
    def test_any_other_setting_is_shown(self, name: str) -> None:
        assert not is_secret_name(name)
        assert secrets_of([(name, SECRET)]) == []


class TestUrls:
    @pytest.mark.parametrize("url", URLS.values(), ids=URLS)
    @pytest.mark.parametrize(
        "text", ["cannot connect to {}: no route", "bad URL {!r}", "{}", "x{}y"], ids=str
    )
    def test_the_password_of_a_url_is_masked_in_any_sentence(self, url: str, text: str) -> None:
        assert SECRET not in mask(text.format(url), secrets_of([("db.url", url)]))

    @pytest.mark.parametrize(
        "setting", ["db.url", "auth.db.url", "session.url", "pypi.fallback_base_url", "any.thing"]
    )
    def test_any_setting_may_be_a_url_with_a_password(self, setting: str) -> None:
        assert SECRET in secrets_of([(setting, f"https://app:{SECRET}@h")])

    def test_a_url_without_a_password_is_shown(self) -> None:
        text = "cannot connect to redis://cache.example:6379/0"
        assert mask(text, secrets_of([("db.url", "redis://cache.example:6379/0")])) == text

    def test_what_a_driver_takes_for_a_port_is_masked(self) -> None:
        secrets = secrets_of([("db.url", "redis://app:abcd/efgh@h")])
        assert mask("Port could not be cast to integer value as 'abcd'", secrets).endswith(f"as '{MASK}'")

    @pytest.mark.parametrize(
        "spelling",
        [
            *(SPECIAL, quote(SPECIAL, safe=""), quote_plus(SPECIAL), repr(SPECIAL), json.dumps(SPECIAL)),
            ascii(SPECIAL),
        ],
    )
    def test_a_password_is_masked_however_it_is_spelled(self, spelling: str) -> None:
        secrets = secrets_of([("db.url", f"postgresql://app:{quote(SPECIAL, safe='')}@db.example/pypi")])
        assert mask(f"before {spelling} after", secrets) in (
            f"before {MASK} after",
            f"before '{MASK}' after",
            f'before "{MASK}" after',
        )

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("https://u:p@pypi.example/simple", f"https://{MASK}@pypi.example/simple"),
            ("https://token@pypi.example/simple", f"https://{MASK}@pypi.example/simple"),
            ("redis://:a@b@h:1/0", f"redis://{MASK}@h:1/0"),
            ("s3://bucket/key@1.whl", "s3://bucket/key@1.whl"),
            ("x-amz-security-token:IQoJb3/+= and more", f"x-amz-security-token:{MASK} and more"),
            ("?X-Amz-Signature=0a1b&x=1", f"?X-Amz-Signature={MASK}&x=1"),
        ],
    )
    def test_credentials_are_masked_even_if_they_are_in_no_setting(self, text: str, expected: str) -> None:
        assert mask(text, []) == expected


class TestMask:
    @pytest.mark.parametrize(
        ("text", "known", "expected"),
        [
            pytest.param("no secret", ["hunter2"], "no secret", id="none"),
            pytest.param("hunter2 and hunter2", ["hunter2"], f"{MASK} and {MASK}", id="twice"),
            pytest.param("a://b:c@d", ["c", "a://b:c@d"], MASK, id="one inside the other"),
            pytest.param(json.dumps('pass"word'), ['pass"word'], f'"{MASK}"', id="escaped in JSON"),
            pytest.param("text", [""], "text", id="empty"),
        ],
    )
    def test_a_secret_is_masked_wherever_it_is_in_a_text(
        self, text: str, known: list[str], expected: str
    ) -> None:
        assert mask(text, known) == expected

    @pytest.mark.parametrize("password", ["a", "e", "1", "in", "err", "0", ":", "s3"])
    def test_a_short_password_does_not_mangle_text(self, password: str) -> None:
        secrets = secrets_of([("db.url", f"redis://:{password}@cache.example:6379/0")])
        text = "Error 111 connecting to cache.example:6379 in s3: see the log at 10:15"
        assert mask(text, secrets) == text
        assert mask(f"tried redis://:{password}@cache.example:6379/0", secrets) == f"tried {MASK}"
        assert f":{password}@" not in mask(f"tried :{password}@cache", secrets)

    @pytest.mark.parametrize("password", ["test", "admin", "prod"])
    def test_a_password_that_is_a_word_is_masked_as_a_word_only(self, password: str) -> None:
        text = f"the bucket {password}-packages: the latest{password}s"
        assert mask(text, [password]) == text
        assert mask(f"wrong password {password!r}", [password]) == f"wrong password {MASK!r}"

    def test_a_traceback_is_masked_with_its_causes_and_notes(self) -> None:
        secrets = secrets_of([("db.url", f"redis://:{SECRET}@h")])
        try:
            try:
                raise ValueError(f"cannot use redis://:{SECRET}@h")
            except ValueError as cause:
                error = RuntimeError(f"{SECRET!r} is wrong")
                error.add_note(f"the password is {SECRET}")
                raise error from cause
        except RuntimeError as caught:
            text = "".join(traceback.format_exception(caught))
        assert SECRET in text
        assert SECRET not in mask(text, secrets)


def test_the_values_of_a_document_are_masked_and_its_fields_are_not() -> None:
    document: dict[str, Any] = {
        "error": f"bad {SECRET}",
        SECRET: 1,
        "list": [SECRET, {"x": SECRET}],
        "n": None,
    }
    assert mask_values(document, [SECRET]) == {
        "error": f"bad {MASK}",
        SECRET: 1,
        "list": [MASK, {"x": MASK}],
        "n": None,
    }


def test_the_environment_has_secrets_of_pypicloud_and_aws() -> None:
    variables = {
        "PPC_DB_URL": f"redis://:{SECRET}@h",
        "PPC_USER_ADMIN": "$6$hash",
        "PPC_SESSION_ENCRYPT_KEY": "encryption",
        "AWS_SESSION_TOKEN": "token-of-aws",
        "AWS_REGION": "eu-west-1",
        "OTHER_PASSWORD": "not-ours",
    }
    found = secrets_in_environment(variables)
    assert {SECRET, "$6$hash", "encryption", "token-of-aws"} <= set(found)
    assert not {"eu-west-1", "not-ours"} & set(found)
