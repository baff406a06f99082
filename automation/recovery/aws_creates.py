"""Looks in AWS for what a killed update was making there, because the engine does not know whether it exists.

The engine writes down what it is about to make, with the name that the provider has chosen for it. AWS chooses the ids
of keys, groups, rules and associations itself; these are found by what the stack says of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Any, Final

from automation.engine.stack_state import CREATING
from components.aws.client import AwsError, aws_call, aws_clients

INSTANCE: Final = "aws:rds/instance:Instance"
_BUCKET: Final = "aws:s3/bucket:Bucket"
_ALIAS: Final = "aws:kms/alias:Alias"
_LOG_GROUP: Final = "aws:cloudwatch/logGroup:LogGroup"
_NAMED: Final = (_ALIAS, _LOG_GROUP)
"""The resources whose names the program chooses, and that are replaced if their name changes."""
_PROVIDER: Final = "pulumi:providers:aws"
_WRITTEN_OVER: Final = frozenset(
    {
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        "aws:iam/rolePolicy:RolePolicy",
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        "aws:secretsmanager/secretVersion:SecretVersion",
    }
)
"""What the next update makes under the same name again, whether it is there or not."""
_OF_BUCKETS: Final = "aws:s3/"
"""Prefix of the settings of a bucket. The next update makes these again too."""
_SOURCES: Final = ("snapshotIdentifier", "restoreToPointInTime")
"""Inputs of an instance that is made from another one's data. Nobody can tell how far that came."""
_MISSING: Final = frozenset(
    {
        "404",
        "DBInstanceNotFound",
        "DBParameterGroupNotFound",
        "DBSubnetGroupNotFoundFault",
        "NoSuchEntity",
        "ResourceNotFoundException",
    }
)
"""AWS's codes for what does not exist."""


def what_became(deployment: Mapping[str, Any], region: str, decided: Collection[str] = ()) -> dict[str, str]:
    """Return the ids of interrupted creates by URN, "" where there is nothing to take into the state.

    What only a person can decide is left out. Raises AwsError.

    Args:
        deployment: The state, as exported.
        region: Where the stack is.
        decided: URNs that need no look.
    """
    account = _Account(region, deployment)
    looked: dict[str, set[str | None]] = {}
    for item in deployment.get("pending_operations") or ():
        resource = item["resource"]
        urn = str(resource["urn"])
        if item["type"] == CREATING and str(resource["type"]).startswith("aws:") and urn not in decided:
            looked.setdefault(urn, set()).add(account.id_of(resource))
    # Two updates may have been killed at one resource, each with another name for it.
    alone = {urn: ids.pop() for urn, ids in looked.items() if len(ids) == 1}
    return {urn: found for urn, found in alone.items() if found is not None}


class _Account:
    """What is in the account. Each look returns the id by which the provider imports it, or None."""

    def __init__(self, region: str, deployment: Mapping[str, Any]) -> None:
        self._clients = aws_clients(region)
        resources = deployment.get("resources") or ()
        self._current = {
            item["urn"]: str(item.get("id"))
            for item in resources
            if not (item.get("delete") or item.get("pendingReplacement"))
        }
        self._tags = _tags(resources)
        self._looks: Mapping[str, Callable[[Mapping[str, Any]], str | None]] = {
            _ALIAS: self._alias,
            _LOG_GROUP: self._log_group,
            "aws:ec2/securityGroup:SecurityGroup": self._security_group,
            "aws:eks/podIdentityAssociation:PodIdentityAssociation": self._association,
            "aws:iam/role:Role": self._role,
            "aws:kms/key:Key": self._key,
            INSTANCE: self._instance,
            "aws:rds/parameterGroup:ParameterGroup": self._parameter_group,
            "aws:rds/subnetGroup:SubnetGroup": self._subnet_group,
            _BUCKET: self._bucket,
            "aws:secretsmanager/secret:Secret": self._secret,
            "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": self._rule,
        }

    def id_of(self, resource: Mapping[str, Any]) -> str | None:
        """Return the id to take into the state, "" if nothing is to be taken, None if a person must decide."""
        kind, inputs = str(resource["type"]), resource.get("inputs") or {}
        if kind in _WRITTEN_OVER or (kind.startswith(_OF_BUCKETS) and kind != _BUCKET):
            return ""
        if kind not in self._looks or (kind == INSTANCE and any(key in inputs for key in _SOURCES)):
            return None
        found = self._looks[kind](inputs) or ""
        current = self._current.get(str(resource["urn"]))
        if not found or current is None:
            return found
        if current == found.rpartition(",")[2]:
            return ""
        # The program chose this name, so only a replacement can have made it. Another one can be a second of its kind.
        return found if kind in _NAMED else None

    def _client(self, action: str) -> Any:
        """Return the client for an IAM action."""
        service = action.partition(":")[0]
        return self._clients("resourcegroupstaggingapi" if service == "tag" else service)

    def _ask(self, action: str, method: str, **request: Any) -> dict[str, Any] | None:
        """Return AWS's answer, or None if it does not have that."""
        try:
            return aws_call(action, lambda: dict(getattr(self._client(action), method)(**request)))
        except AwsError as error:
            if error.code in _MISSING:
                return None
            raise

    def _all(self, action: str, method: str, items: str, **request: Any) -> list[Any]:
        """Return the items of all pages of an answer."""

        def pages() -> list[Any]:
            paginated = self._client(action).get_paginator(method).paginate(**request)
            return [item for page in paginated for item in page[items]]

        return aws_call(action, pages)

    def _alias(self, inputs: Mapping[str, Any]) -> str | None:
        name = str(inputs["name"])
        there = self._all("kms:ListAliases", "list_aliases", "Aliases")
        return name if name in [item["AliasName"] for item in there] else None

    def _association(self, inputs: Mapping[str, Any]) -> str | None:
        cluster = str(inputs["clusterName"])
        found = self._all(
            "eks:ListPodIdentityAssociations",
            "list_pod_identity_associations",
            "associations",
            clusterName=cluster,
            namespace=inputs["namespace"],
            serviceAccount=inputs["serviceAccount"],
        )
        return next(
            (f"{cluster},{item['associationId']}" for item in found if self._gives(cluster, item, inputs)), None
        )

    def _gives(self, cluster: str, association: Mapping[str, Any], inputs: Mapping[str, Any]) -> bool:
        """Return whether an association gives the pods the role that this stack chose, and not another's."""
        of_it = {"clusterName": cluster, "associationId": association["associationId"]}
        found = self._ask("eks:DescribePodIdentityAssociation", "describe_pod_identity_association", **of_it)
        return found is not None and found["association"]["roleArn"] == inputs["roleArn"]

    def _bucket(self, inputs: Mapping[str, Any]) -> str | None:
        name = str(inputs["bucket"])
        return None if self._ask("s3:ListBucket", "head_bucket", Bucket=name) is None else name

    def _instance(self, inputs: Mapping[str, Any]) -> str | None:
        name = str(inputs["identifier"])
        found = self._ask("rds:DescribeDBInstances", "describe_db_instances", DBInstanceIdentifier=name)
        return None if found is None else name

    def _key(self, inputs: Mapping[str, Any]) -> str | None:
        """A key that the state does not have, with the stack's tags and the description and policy of this one.

        AWS takes the policy as it makes the key. Who else may make keys could give one these tags, and let himself in.
        """
        tags = [{"Key": key, "Values": [value]} for key, value in {**self._tags, **(inputs.get("tags") or {})}.items()]
        request = {"ResourceTypeFilters": ["kms:key"], "TagFilters": tags}
        tagged = self._all("tag:GetResources", "get_resources", "ResourceTagMappingList", **request)
        ids = [item["ResourceARN"].rpartition("/")[2] for item in tagged]
        for key in ids:
            found = None if key in self._current.values() else self._ask("kms:DescribeKey", "describe_key", KeyId=key)
            described = {} if found is None else found["KeyMetadata"]
            if described.get("Description") != inputs.get("description") or described["KeyState"] != "Enabled":
                continue
            answer = self._ask("kms:GetKeyPolicy", "get_key_policy", KeyId=key, PolicyName="default")
            if answer and _canonical(json.loads(answer["Policy"])) == _canonical(json.loads(inputs["policy"])):
                return str(key)
        return None

    def _log_group(self, inputs: Mapping[str, Any]) -> str | None:
        name = str(inputs["name"])
        found = self._all("logs:DescribeLogGroups", "describe_log_groups", "logGroups", logGroupNamePrefix=name)
        return name if name in [item["logGroupName"] for item in found] else None

    def _parameter_group(self, inputs: Mapping[str, Any]) -> str | None:
        name, action = str(inputs["name"]), "rds:DescribeDBParameterGroups"
        found = self._ask(action, "describe_db_parameter_groups", DBParameterGroupName=name)
        return name if found and found["DBParameterGroups"] else None

    def _role(self, inputs: Mapping[str, Any]) -> str | None:
        name = str(inputs["name"])
        return None if self._ask("iam:GetRole", "get_role", RoleName=name) is None else name

    def _rule(self, inputs: Mapping[str, Any]) -> str | None:
        group = inputs["securityGroupId"]
        rules = self._all(
            "ec2:DescribeSecurityGroupRules",
            "describe_security_group_rules",
            "SecurityGroupRules",
            Filters=[{"Name": "group-id", "Values": [group]}],
        )
        wanted = (inputs["referencedSecurityGroupId"], inputs["ipProtocol"], inputs["fromPort"], inputs["toPort"])
        for rule in rules:
            there = (rule.get("ReferencedGroupInfo", {}).get("GroupId"), rule["IpProtocol"])
            if not rule["IsEgress"] and (*there, rule.get("FromPort"), rule.get("ToPort")) == wanted:
                return str(rule["SecurityGroupRuleId"])
        return None

    def _secret(self, inputs: Mapping[str, Any]) -> str | None:
        action = "secretsmanager:DescribeSecret"
        found = self._ask(action, "describe_secret", SecretId=inputs["name"])
        return None if found is None or found.get("DeletedDate") else str(found["ARN"])

    def _security_group(self, inputs: Mapping[str, Any]) -> str | None:
        wanted = {"group-name": inputs["name"], "vpc-id": inputs["vpcId"]}
        filters = [{"Name": key, "Values": [value]} for key, value in wanted.items()]
        action = "ec2:DescribeSecurityGroups"
        found = self._all(action, "describe_security_groups", "SecurityGroups", Filters=filters)
        return str(found[0]["GroupId"]) if found else None

    def _subnet_group(self, inputs: Mapping[str, Any]) -> str | None:
        name = str(inputs["name"])
        action = "rds:DescribeDBSubnetGroups"
        return None if self._ask(action, "describe_db_subnet_groups", DBSubnetGroupName=name) is None else name


def _canonical(policy: Any) -> Any:
    """Return a policy in the one form of those that mean the same: lists in order, and none of one item."""
    if isinstance(policy, Mapping):
        return {key: _canonical(value) for key, value in policy.items()}
    if isinstance(policy, list):
        items = sorted(map(_canonical, policy), key=partial(json.dumps, sort_keys=True))
        return items[0] if len(items) == 1 else items
    return policy


def _tags(resources: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the tags that the AWS provider gives all that it makes."""
    written = next((item["inputs"].get("defaultTags") for item in resources if item["type"] == _PROVIDER), None)
    return dict(json.loads(written)["tags"]) if written else {}
