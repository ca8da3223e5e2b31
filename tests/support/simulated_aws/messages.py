"""SQS and EventBridge."""

from __future__ import annotations

import json
from typing import Any

from support.fakes import ACCOUNT, REGION, refusal
from support.simulated_aws.base import Service, found, tag_dict, tag_list

DOCUMENTS = ("Policy", "RedrivePolicy", "RedriveAllowPolicy")


class Sqs(Service):
    name = "sqs"
    #: SQS blocks the name of a deleted queue for this time, in seconds.
    BLOCKED = 60

    def _queue(self, url: str) -> dict[str, Any]:
        name = url.rpartition("/")[2]
        return found(self.state.queues, name, "AWS.SimpleQueueService.NonExistentQueue", 400)

    def get_queue_url(self, QueueName: str) -> Any:
        self._queue(QueueName)
        return {"QueueUrl": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{QueueName}"}

    def get_queue_attributes(self, QueueUrl: str, AttributeNames: list[str]) -> Any:
        attributes = self._queue(QueueUrl)["Attributes"]
        texts = {
            key: json.dumps(value) if key in DOCUMENTS else value
            for key, value in attributes.items()
            if value is not None
        }
        name = QueueUrl.rpartition("/")[2]
        return {"Attributes": {**texts, "QueueArn": self.arn(name), "ApproximateNumberOfMessages": "0"}}

    def list_queue_tags(self, QueueUrl: str) -> Any:
        # SQS leaves out an empty answer.
        tags = self._queue(QueueUrl)["Tags"]
        return {"Tags": dict(tags)} if tags else {}

    def create_queue(self, QueueName: str, Attributes: dict[str, str], tags: dict[str, str]) -> Any:
        deleted = self.state.deleted_queues.get(QueueName)
        if deleted is not None and self.time.now < deleted + self.BLOCKED:
            raise refusal("AWS.SimpleQueueService.QueueDeletedRecently", "You must wait 60 seconds.")
        wanted = _parsed(Attributes)
        if QueueName in self.state.queues:
            # SQS accepts a creation of the same queue.
            if wanted != self.state.queues[QueueName]["Attributes"]:
                raise refusal("QueueAlreadyExists", "A queue already exists with a different value.")
        else:
            self.state.queues[QueueName] = {"Attributes": wanted, "Tags": dict(tags)}
        return self.get_queue_url(QueueName)

    def set_queue_attributes(self, QueueUrl: str, Attributes: dict[str, str]) -> None:
        self._queue(QueueUrl)["Attributes"] |= _parsed(Attributes)

    def tag_queue(self, QueueUrl: str, Tags: dict[str, str]) -> None:
        self._queue(QueueUrl)["Tags"] |= Tags

    def delete_queue(self, QueueUrl: str) -> None:
        self._queue(QueueUrl)
        name = QueueUrl.rpartition("/")[2]
        del self.state.queues[name]
        self.state.deleted_queues[name] = self.time.now


def _parsed(attributes: dict[str, str]) -> dict[str, Any]:
    return {key: json.loads(value) if key in DOCUMENTS else value for key, value in attributes.items()}


class Events(Service):
    name = "events"

    def _rule(self, name: str) -> dict[str, Any]:
        return found(self.state.rules, name, "ResourceNotFoundException", 400)

    def _described(self, name: str) -> dict[str, Any]:
        rule = self._rule(name)
        return {
            "Name": name,
            "Arn": self.arn(f"rule/{name}"),
            "EventPattern": rule["Pattern"],
            "State": rule["State"],
        }

    def describe_rule(self, Name: str) -> Any:
        return self._described(Name)

    def list_rules(self) -> Any:
        return {"Rules": [self._described(name) for name in self.state.rules]}

    def list_targets_by_rule(self, Rule: str) -> Any:
        return {"Targets": list(self._rule(Rule)["Targets"].values())}

    def list_tags_for_resource(self, ResourceARN: str) -> Any:
        return {"Tags": tag_list(self._rule(ResourceARN.rpartition("/")[2])["Tags"])}

    def put_rule(self, Name: str, EventPattern: str, State: str, Description: str, Tags: Any = ()) -> Any:
        # Tags of an existing rule are ignored: botocore, events 2015-10-07, PutRule.
        rule = self.state.rules.setdefault(Name, {"Targets": {}, "Tags": tag_dict(Tags)})
        rule |= {"Pattern": EventPattern, "State": State}

    def put_targets(self, Rule: str, Targets: list[dict[str, Any]]) -> Any:
        self._rule(Rule)["Targets"] |= {target["Id"]: dict(target) for target in Targets}
        return {"FailedEntries": []}

    def tag_resource(self, ResourceARN: str, Tags: Any) -> None:
        self._rule(ResourceARN.rpartition("/")[2])["Tags"] |= tag_dict(Tags)

    def remove_targets(self, Rule: str, Ids: list[str]) -> Any:
        targets = self._rule(Rule)["Targets"]
        missing = [identifier for identifier in Ids if identifier not in targets]
        for identifier in set(Ids) - set(missing):
            del targets[identifier]
        return {
            "FailedEntries": [
                {"TargetId": name, "ErrorCode": "ResourceNotFoundException"} for name in missing
            ]
        }

    def delete_rule(self, Name: str) -> None:
        # EventBridge accepts the deletion of a rule that does not exist.
        if self.state.rules.get(Name, {}).get("Targets"):
            raise refusal("ValidationException", "Rule can't be deleted since it has targets.")
        self.state.rules.pop(Name, None)
