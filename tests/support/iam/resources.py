"""Say which resource AWS checks for a call, or which permissions if there are several.

Each is compared with the Service Authorization Reference by :mod:`.reference`.
"""

from __future__ import annotations

from collections.abc import Callable

from support.iam.values import Account, Parameters, Request, ResourceOf

#: The rights on items that a transaction needs: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
TRANSACTIONS = {
    "Put": "dynamodb:PutItem",
    "Update": "dynamodb:UpdateItem",
    "Delete": "dynamodb:DeleteItem",
    "ConditionCheck": "dynamodb:ConditionCheckItem",
}


def _bucket_or_object(parameters: Parameters, account: Account) -> str:
    key = f"/{parameters['Key']}" if "Key" in parameters else ""
    return f"arn:aws:s3:::{parameters['Bucket']}{key}"


def _role(parameters: Parameters, account: Account) -> str:
    if "PolicySourceArn" in parameters:
        return str(parameters["PolicySourceArn"])
    return account.role(parameters["RoleName"], parameters.get("Path"))


def _function(parameters: Parameters, account: Account) -> str:
    return account.function(parameters["FunctionName"], parameters.get("Qualifier"))


def _queue(parameters: Parameters, account: Account) -> str:
    return account.arn("sqs", parameters.get("QueueName") or parameters["QueueUrl"].rsplit("/", 1)[-1])


def _rule(parameters: Parameters, account: Account) -> str:
    if "ResourceARN" in parameters:
        return str(parameters["ResourceARN"])
    return account.arn("events", f"rule/{parameters.get('Name') or parameters['Rule']}")


def _parameter(parameters: Parameters, account: Account) -> str:
    return account.arn("ssm", f"parameter{parameters.get('Name') or parameters['ResourceId']}")


def _log_group(parameters: Parameters, account: Account) -> str:
    # As CloudWatch Logs names a group in its denials: see the messages in the tests of `denials`.
    return account.arn("logs", f"log-group:{parameters['logGroupName']}:log-stream:")


def _table(parameters: Parameters, account: Account) -> str:
    index = f"/index/{parameters['IndexName']}" if "IndexName" in parameters else ""
    return account.arn("dynamodb", f"table/{parameters['TableName']}{index}")


def _schedule(parameters: Parameters, account: Account) -> str:
    group = parameters.get("GroupName", "default")
    return account.arn("scheduler", f"schedule/{group}/{parameters['Name']}")


def _anything(parameters: Parameters, account: Account) -> str:
    return "*"


#: The resource of each service's calls.
RESOURCES: dict[str, ResourceOf] = {
    "application-autoscaling": _anything,
    "cloudwatch": _anything,
    "dynamodb": _table,
    "events": _rule,
    "iam": _role,
    "lambda": _function,
    "logs": _log_group,
    "s3": _bucket_or_object,
    "scheduler": _schedule,
    "secretsmanager": lambda parameters, account: str(parameters["SecretId"]),
    "sqs": _queue,
    "ssm": _parameter,
}


def _unsupported(action: str, parameters: Parameters, account: Account) -> list[Request]:
    """Return the request of an action without resource-level permissions."""
    return [Request(action, "*")]


def _all_log_groups(action: str, parameters: Parameters, account: Account) -> list[Request]:
    # As CloudWatch Logs names all groups in its denials: see the messages in the tests of `denials`.
    return [Request(action, account.arn("logs", "log-group::log-stream:"))]


def _tags_of_a_log_group(action: str, parameters: Parameters, account: Account) -> list[Request]:
    # Without an asterisk: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_ListTagsForResource.html
    return [Request(action, parameters["resourceArn"])]


def _get_function(action: str, parameters: Parameters, account: Account) -> list[Request]:
    # Without the second right, AWS returns a TagsError instead of the tags, which the commands refuse; here,
    # the call is denied: https://docs.aws.amazon.com/lambda/latest/dg/configuration-tags.html
    arn = _function(parameters, account)
    return [Request(action, arn), Request("lambda:ListTags", account.function(parameters["FunctionName"]))]


def _mapping(action: str, parameters: Parameters, account: Account) -> list[Request]:
    """Return the request of a mapping's change; creation does not support resource-level permissions."""
    if "UUID" not in parameters:
        function = account.function(parameters["FunctionName"])
        return [Request(action, "*", {"lambda:FunctionArn": function})]
    uuid = parameters["UUID"]
    functions = [account.mapped_functions[uuid]]
    if "FunctionName" in parameters:
        # AWS does not say whether it compares the old or the new one.
        functions.append(account.function(parameters["FunctionName"]))
    arn = account.arn("lambda", f"event-source-mapping:{uuid}")
    return [Request(action, arn, {"lambda:FunctionArn": function}) for function in functions]


def _object_version(action: str, parameters: Parameters, account: Account) -> list[Request]:
    """Return the request for an object or for a version of it.

    S3's documentation leaves open which one the version ``null`` needs, which is the only one in a bucket
    without versioning: https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html
    """
    arn, version = _bucket_or_object(parameters, account), parameters.get("VersionId")
    actions = {None: [action], "null": [action, f"{action}Version"]}.get(version, [f"{action}Version"])
    return [Request(each, arn) for each in actions]


def _batch_get(action: str, parameters: Parameters, account: Account) -> list[Request]:
    tables = parameters["RequestItems"]
    return [Request(action, account.arn("dynamodb", f"table/{name}")) for name in tables]


def _transaction(action: str, parameters: Parameters, account: Account) -> list[Request]:
    return [
        Request(TRANSACTIONS[kind], _table(item, account))
        for each in parameters["TransactItems"]
        for kind, item in each.items()
    ]


#: The operations whose requests follow other rules than those of their service.
SPECIAL: dict[str, Callable[[str, Parameters, Account], list[Request]]] = {
    "dynamodb:BatchGetItem": _batch_get,
    "dynamodb:ListTables": _unsupported,
    "dynamodb:TransactWriteItems": _transaction,
    "events:ListRules": _unsupported,
    "lambda:CreateEventSourceMapping": _mapping,
    "lambda:DeleteEventSourceMapping": _mapping,
    "lambda:GetFunction": _get_function,
    "lambda:ListEventSourceMappings": _unsupported,
    "lambda:TagResource": lambda action, parameters, account: [Request(action, parameters["Resource"])],
    "lambda:UpdateEventSourceMapping": _mapping,
    "logs:DescribeLogGroups": _all_log_groups,
    "logs:ListTagsForResource": _tags_of_a_log_group,
    "logs:TagResource": _tags_of_a_log_group,
    "s3:DeleteObject": _object_version,
    "s3:GetObject": _object_version,
    "ssm:DescribeParameters": _unsupported,
}
