"""Create resources of other owners next to a site."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from support.sites import Site, zip_of

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
ALLOW_ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def create_role(site: Site, name: str, trust: Mapping[str, Any] = TRUST) -> str:
    """Create a role and return its ARN."""
    response = site.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    arn: str = response["Role"]["Arn"]
    return arn


def create_policy(site: Site, name: str) -> str:
    """Create a managed policy that allows everything, and return its ARN."""
    response = site.client("iam").create_policy(PolicyName=name, PolicyDocument=json.dumps(ALLOW_ALL))
    arn: str = response["Policy"]["Arn"]
    return arn


def create_function(site: Site, name: str) -> str:
    """Create a function with its own role, and return its ARN."""
    response = site.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.12",
        Handler="lambda_script.handle_s3_event",
        Role=create_role(site, f"role-of-{name}"),
        Code={"ZipFile": zip_of("def handle_s3_event(event, context):\n    return 'foreign'\n")},
    )
    arn: str = response["FunctionArn"]
    return arn


def put_notifications(site: Site, configuration: Mapping[str, Any]) -> None:
    """Replace the notification configuration of the site's bucket."""
    site.client("s3").put_bucket_notification_configuration(
        Bucket=site.bucket, NotificationConfiguration=configuration
    )


def create_notifications(site: Site) -> dict[str, Any]:
    """Create a queue, a topic, a function and EventBridge notifications; return the configuration."""
    queue_arn, topic_arn = _create_queue(site), _create_topic(site)
    prefix = {"Key": {"FilterRules": [{"Name": "prefix", "Value": "logs/"}]}}
    put_notifications(
        site,
        {
            "QueueConfigurations": [
                {"Id": "q", "QueueArn": queue_arn, "Events": ["s3:ObjectTagging:*"], "Filter": prefix}
            ],
            "TopicConfigurations": [
                {"Id": "t", "TopicArn": topic_arn, "Events": ["s3:ObjectRestore:Completed"]}
            ],
            "LambdaFunctionConfigurations": [
                {
                    "Id": "foreign",
                    "LambdaFunctionArn": create_function(site, f"other-{site.bucket}"),
                    "Events": ["s3:ReducedRedundancyLostObject"],
                }
            ],
            "EventBridgeConfiguration": {},
        },
    )
    return site.notifications()


def _create_queue(site: Site) -> str:
    sqs = site.client("sqs")
    url = sqs.create_queue(QueueName=f"queue-{site.bucket}")["QueueUrl"]
    arn: str = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = _policy_for_s3("sqs:SendMessage", arn)
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    return arn


def _create_topic(site: Site) -> str:
    sns = site.client("sns")
    arn: str = sns.create_topic(Name=f"topic-{site.bucket}")["TopicArn"]
    policy = json.dumps(_policy_for_s3("sns:Publish", arn))
    sns.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy)
    return arn


def _policy_for_s3(action: str, resource: str) -> dict[str, Any]:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": action,
        "Resource": resource,
    }
    return {"Version": "2012-10-17", "Statement": [statement]}
