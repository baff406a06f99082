"""What moto forgets of a request, or answers otherwise than AWS: each is put right in its answer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

import boto3
from moto.backends import get_backend

from tests.prod.emulator.operations import Operation
from tests.prod.emulator.rights import ACCOUNT

CLUSTER: Final = "cluster.json"
"""File of the emulator's folder: fields of the EKS cluster beside moto's."""
DATABASES: Final = "databases.json"
"""File of the emulator's folder, if real servers are behind the instances of RDS: the `suffix` of their host names,
the instances that are `ready`, and the snapshots that are `saved`."""
MASTERS: Final = "masters.json"
"""File of the emulator's folder: the master user of each instance, by the names of the API, and the `Source` of an
instance that was restored: `snapshot:NAME` or `db:NAME`."""
_INSIGHTS: Final = ("EnablePerformanceInsights", "PerformanceInsightsKMSKeyId", "PerformanceInsightsRetentionPeriod")
_CHANGED_RULE: Final = "SecurityGroupRule.1.SecurityGroupRuleId"


class Amendments:
    """Remembers what moto forgets. `url`: where the emulator listens."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder, self._url = folder, url
        self._began = datetime.now(UTC)
        self._insights: dict[str, dict[str, str]] = {}
        self._masters: dict[str, dict[str, str]] = {}
        self._saved: dict[str, dict[str, str]] = {}
        self._descriptions: dict[str, str] = {}

    def amended(self, operation: Operation, request: bytes, answer: bytes) -> bytes:
        """Return the answer of a successful operation, put right."""
        amend: Mapping[str, Callable[[Operation, bytes, str], str]] = {
            "ec2:AuthorizeSecurityGroupIngress": self._rule,
            "ec2:DescribeSecurityGroupRules": self._rule,
            "ec2:ModifySecurityGroupRules": self._rule,
            "eks:DescribeCluster": self._cluster,
            "rds:DescribeDBParameters": lambda _, __, text: text.replace(
                "</ParameterName>", "</ParameterName><Source>user</Source>"
            ),
            "rds:DescribeDBInstanceAutomatedBackups": self._window,
            "s3:CreateBucket": self._bucket,
        }
        own = amend.get(f"{operation.service}:{operation.name}")
        if own is None and operation.service == "rds":
            own = self._instances
        return answer if own is None else own(operation, request, answer.decode()).encode()

    def _cluster(self, _: Operation, __: bytes, text: str) -> str:
        """The network and the address of a real cluster."""
        path = self._folder / CLUSTER
        if not path.exists():
            return text
        answer, more = json.loads(text), json.loads(path.read_text())
        network = answer["cluster"]["resourcesVpcConfig"] | more.pop("resourcesVpcConfig", {})
        answer["cluster"] |= {**more, "resourcesVpcConfig": network}
        return json.dumps(answer)

    def _rule(self, operation: Operation, _: bytes, text: str) -> str:
        """The description of a rule that names a group."""
        said = operation.parameters
        given = said.get("IpPermissions.1.Groups.1.Description") or said.get(
            "SecurityGroupRule.1.SecurityGroupRule.Description"
        )
        root = ElementTree.fromstring(text)  # noqa: S314 - moto's own answer
        namespace = root.tag.partition("}")[0].lstrip("{")
        ElementTree.register_namespace("", namespace)
        for item in root.iter(f"{{{namespace}}}item"):
            rule = item.findtext(f"{{{namespace}}}securityGroupRuleId")
            if rule is None:
                continue
            if given and operation.name.startswith("Authorize"):
                self._descriptions[rule] = str(given)
            if item.find(f"{{{namespace}}}description") is None and rule in self._descriptions:
                ElementTree.SubElement(item, f"{{{namespace}}}description").text = self._descriptions[rule]
        if given and operation.name.startswith("Modify"):
            self._descriptions[str(said[_CHANGED_RULE])] = str(given)
        return ElementTree.tostring(root, encoding="unicode")

    def _instances(self, operation: Operation, _: bytes, text: str) -> str:
        """Performance Insights of RDS instances, and where they are."""
        said = operation.parameters
        self._unprotect(operation)
        if identifier := said.get("DBInstanceIdentifier"):
            new = {key: str(said[key]) for key in _INSIGHTS if key in said}
            self._insights.setdefault(str(identifier), {}).update(new)
            self._note_master(operation, str(identifier))
        databases = self._folder / DATABASES
        served = json.loads(databases.read_text()) if databases.exists() else None

        def amended(found: re.Match[str]) -> str:
            # moto remembers those of a later change, but not those that an instance was made with.
            content = re.sub(r"<(PerformanceInsights\w+)>[^<]*</\1>", "", found[1])
            named = re.search(r"<DBInstanceIdentifier>([^<]+)<", content)
            kept = self._insights.get(named[1], {}) if named else {}
            enabled = f"<PerformanceInsightsEnabled>{kept.get(_INSIGHTS[0], 'false')}</PerformanceInsightsEnabled>"
            more = "".join(f"<{key}>{kept[key]}</{key}>" for key in _INSIGHTS[1:] if key in kept)
            if named and served:
                content = re.sub(r"<Address>[^<]+<", f"<Address>{named[1]}.{served['suffix']}<", content)
                if named[1] not in served["ready"]:
                    content = content.replace("<DBInstanceStatus>available<", "<DBInstanceStatus>creating<")
            return f"<DBInstance>{content}{enabled}{more}</DBInstance>"

        if served:
            text = re.sub(r"<DBSnapshot>(.*?)</DBSnapshot>", partial(_being_made, served), text, flags=re.DOTALL)
        return re.sub(r"<DBInstance>(.*?)</DBInstance>", amended, text, flags=re.DOTALL)

    def _unprotect(self, operation: Operation) -> None:
        """A restored instance is protected only if the request says so, whatever its source was."""
        said = operation.parameters
        if not operation.name.startswith("RestoreDBInstance"):
            return
        name = str(said.get("TargetDBInstanceIdentifier") or said["DBInstanceIdentifier"])
        made = get_backend("rds")[ACCOUNT][operation.region].databases[name]
        made.source_db_instance_identifier = None  # moto takes the source of a moment for that of a replica
        if said.get("DeletionProtection") != "true":
            made.deletion_protection = False
        if source := said.get("SourceDBInstanceIdentifier"):
            self._masters[name] = {**self._masters.get(str(source), {}), "Source": f"db:{source}"}
            self._write_masters()

    def _window(self, _: Operation, __: bytes, text: str) -> str:
        """The moments to which an instance can be restored."""
        earliest, latest = (f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in (self._began, datetime.now(UTC)))
        window = (
            f"<RestoreWindow><EarliestTime>{earliest}</EarliestTime><LatestTime>{latest}</LatestTime></RestoreWindow>"
        )
        return text.replace("</DBInstanceAutomatedBackup>", f"{window}</DBInstanceAutomatedBackup>")

    def _note_master(self, operation: Operation, identifier: str) -> None:
        said = operation.parameters
        snapshot = str(said.get("FinalDBSnapshotIdentifier") or said.get("DBSnapshotIdentifier", ""))
        if operation.name == "CreateDBSnapshot":
            self._saved[snapshot] = self._masters.get(identifier, {})
            return
        if operation.name == "RestoreDBInstanceFromDBSnapshot":
            name = snapshot.rpartition(":")[2]
            self._masters[identifier] = {**self._saved.get(name, {}), "Source": f"snapshot:{name}"}
        elif operation.name == "DeleteDBInstance":
            self._saved[snapshot] = self._masters.pop(identifier, {})
        elif "MasterUserPassword" in said:
            new = {key: str(said[key]) for key in ("MasterUsername", "MasterUserPassword", "DBName") if key in said}
            self._masters.setdefault(identifier, {}).update(new)
        else:
            return
        self._write_masters()

    def _write_masters(self) -> None:
        written = self._folder / f"{MASTERS}.new"
        written.write_text(json.dumps(self._masters))
        written.rename(self._folder / MASTERS)

    def _bucket(self, operation: Operation, _: bytes, text: str) -> str:
        """The tags of a new bucket."""
        if tags := operation.parameters["Tags"]:
            client: Any = boto3.client(
                "s3",
                region_name=operation.region,
                endpoint_url=self._url,
                aws_access_key_id="made-up",
                aws_secret_access_key="made-up",
            )
            client.put_bucket_tagging(Bucket=operation.parameters["Bucket"], Tagging={"TagSet": tags})
        return text


def _being_made(served: Mapping[str, Any], found: re.Match[str]) -> str:
    """Return a snapshot, available only when its data is saved."""
    named = re.search(r"<DBSnapshotIdentifier>([^<]+)<", found[0])
    if named and named[1] not in served["saved"]:
        return found[0].replace("<Status>available<", "<Status>creating<")
    return found[0]
