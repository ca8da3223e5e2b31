from __future__ import annotations

import json

from pypicloud_s3sync.deploy.readers.calls import Calls
from pypicloud_s3sync.deploy.readers.permissions import permission_statements
from pypicloud_s3sync.deploy.snap_start import ALIAS, qualified
from support.fakes import FakeClients, make_desired

ARN = make_desired().function.arn


def test_the_statements_of_the_function_are_not_those_of_its_alias() -> None:
    own, of_alias = {"Sid": "a", "Resource": ARN}, {"Sid": "b", "Resource": qualified(ARN)}
    policy = {"Policy": json.dumps({"Statement": [own, of_alias]})}
    assert permission_statements(Calls(FakeClients({"get_policy": policy})), "sync") == (own,)
    clients = FakeClients({"get_policy": {"Policy": json.dumps({"Statement": [of_alias]})}})
    assert permission_statements(Calls(clients), "sync", ALIAS) == (of_alias,)
    assert clients.arguments("get_policy") == {"FunctionName": "sync", "Qualifier": ALIAS}
