"""Make a site's credentials those of a user who may do only what a policy allows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from pypicloud_s3sync.cli.main import main
from support.iam.enforcement import Operator
from support.sites import Site

#: The emulator lets the user do everything: :class:`.Operator` enforces the policy.
EVERYTHING = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}
#: Replaces the credentials in a site's settings with those of a user who has only this policy.
BecomeOperator = Callable[[Site, dict[str, Any]], Operator]


@pytest.fixture
def become_operator() -> Iterator[BecomeOperator]:
    """Return a function that makes a site's settings those of an operator until the test ends."""
    with ExitStack() as stack:

        def become(site: Site, policy: dict[str, Any]) -> Operator:
            iam, user = site.client("iam"), f"operator-of-{site.bucket}"
            iam.create_user(UserName=user)
            iam.put_user_policy(UserName=user, PolicyName="operator", PolicyDocument=json.dumps(EVERYTHING))
            key = iam.create_access_key(UserName=user)["AccessKey"]
            site.given |= {
                "storage.aws_access_key_id": key["AccessKeyId"],
                "storage.aws_secret_access_key": key["SecretAccessKey"],
            }
            # Its clients have the former credentials.
            site.watch = type(site.watch)()

            def role_path(name: str) -> str | None:
                with suppress(iam.exceptions.NoSuchEntityException):
                    return str(iam.get_role(RoleName=name)["Role"]["Path"])
                return None

            operator = Operator(site.aws.account_id, key["AccessKeyId"], policy, role_path)
            stack.enter_context(operator.enforced())
            return operator

        yield become


class CommandLine:
    """Runs commands with the settings of a site, and with further ones.

    Parameters
    ----------
    site : Site
    path : Path
        Where the ini is written.
    capsys : CaptureFixture
    settings : dict
        The further settings.
    """

    def __init__(
        self, site: Site, path: Path, capsys: pytest.CaptureFixture[str], settings: dict[str, str]
    ) -> None:
        self.site = site
        self.path = path
        self.capsys = capsys
        self.settings = settings

    def __call__(self, command: str, *arguments: str, **changes: str) -> tuple[int, dict[str, Any]]:
        """Return the exit status and the document of a command; ``db__url`` stands for ``db.url``."""
        self.write(**changes)
        status = main([command, str(self.path), *arguments, "--json"])
        return status, json.loads(self.capsys.readouterr().out)

    def write(self, **changes: str) -> None:
        """Write the ini."""
        changed = {name.replace("__", "."): value for name, value in changes.items()}
        lines = [f"{name} = {value}" for name, value in (self.site.given | self.settings | changed).items()]
        self.path.write_text("\n".join(["[app:main]", "use = egg:pypicloud", *lines, ""]))
