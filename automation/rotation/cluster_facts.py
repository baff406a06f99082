"""The facts about a key in a deployment: its Secret, the pods that have it, and what the database holds under it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Final

import outputs
from automation.cluster.client import KubeClient
from automation.cluster.deployment import Deployment
from automation.errors import AirflowRequestFailed, ClusterRequestFailed
from automation.rotation import database, git_host, managed_roles, redis
from automation.rotation.keys import CELERY_WORKER, FERNET_VARIABLE, TASK_POD, Key
from automation.rotation.login_trial import login_refusal
from automation.rotation.stages import Encrypted, PodKey
from automation.rotation.trials import authority_refusal, registry_refusal
from automation.verification.verify import airflow_api
from automation.wait import while_waiting
from components.database import encrypted_values
from components.database.uri import read_database_uri
from components.kube.client import KubeApi

_SCHEDULER: Final = "scheduler"
_READ_SECONDS: Final = 600.0
"""Long enough for some hundred thousand encrypted values."""
_DOING: Final = {"count": "reading every encrypted value in the database, which may take minutes", "renew": ""}
"""The note that announces each mode of the script. The stage itself announces the second."""
_SECONDS: Final = 60.0
_TOKEN_SECONDS: Final = """
from airflow.configuration import conf
queued = conf.getfloat("scheduler", "task_queued_timeout")
running = conf.getfloat("execution_api", "jwt_expiration_time")
print(max(queued, running) + conf.getfloat("api_auth", "jwt_leeway"))
"""
"""A workload waits in the queue with a token of the first lifetime; what a task that runs has, has the second."""


class ClusterFacts:
    """The `RotationFacts` of a deployment, each looked up once: make another one to look again.

    Every fact may raise ClusterUnreachable or ClusterRequestFailed.
    """

    def __init__(
        self,
        key: Key,
        found: Mapping[str, Any],
        kube: KubeClient,
        secret: Callable[[str], Mapping[str, str]],
        new: str,
        signed_until: str = "",
        cluster: Callable[[], tuple[KubeApi, str]] | None = None,
        waiting: Callable[[str, str], Callable[[float], None]] = lambda what, doing: time.sleep,
    ) -> None:
        """Ask nothing yet.

        Args:
            key: The key that is rotated.
            found: The stack's outputs.
            kube: The deployment's namespace.
            secret: Returns a Secret's data, {} if it does not exist.
            new: The new value; "" while there is none.
            signed_until: The fact of this name.
            cluster: Returns the cluster and the namespace, for pods that try something.
            waiting: Returns a sleep that says what is waited for. It also takes what begins, "" to say nothing of it.
        """
        self.signed_until = signed_until
        self._cluster, self._waiting = cluster, waiting
        self._key, self._outputs, self._kube, self._secret, self._new = key, found, kube, secret, new

    @cached_property
    def deployed(self) -> str | None:
        if not self._key.output:
            return next((pod.value for pod in self.pods if not pod.ending and pod.value is not None), None)
        return self._secret(str(self._outputs[self._key.output])).get(self._key.data_key)

    @property
    def running(self) -> str:
        """How much of Airflow the last update deployed."""
        return str(self._outputs.get(outputs.RUNNING) or "")

    @cached_property
    def pods(self) -> tuple[PodKey, ...]:
        found: list[PodKey] = []
        for use in self._key.uses:
            if self._key.first_use and found:
                break
            content = self._secret
            if use.volume:
                pods = self._kube.secret_volumes(use.volume)
            elif use.pulls:
                pods = self._kube.pull_secrets(use.pulls)
            elif use.config_map:
                pods, content = self._kube.config_map_volumes(use.config_map), self._config_map
            else:
                pods = self._kube.secret_uses(use.variable, use.containers)
            values = {name: use.read(content(name)) for name in {pod.secret for pod in pods}}
            found += [
                PodKey(
                    name=pod.pod,
                    component=pod.component,
                    value=values[pod.secret],
                    ending=pod.ending,
                    accepts=use.accepts,
                )
                for pod in pods
            ]
        return tuple(found)

    @cached_property
    def refusal(self) -> str:
        if self._key.database:
            return self._login_refusal(whole=True)
        assert self._cluster is not None
        ask = registry_refusal if self._key.name == "registry" else authority_refusal
        sleep = self._waiting(f"the pod that tries the new value of {self._key.name} has not ended", "")
        return ask(*self._cluster(), self._new, sleep)

    @cached_property
    def encrypted(self) -> Encrypted:
        return self._on_database("count")

    @cached_property
    def workers_share(self) -> bool:
        """Whether workers have the stack's Fernet key, as in a stack that an earlier version deployed."""
        uses = self._kube.secret_uses(FERNET_VARIABLE, (CELERY_WORKER, TASK_POD))
        return any(use.secret == self._outputs[outputs.FERNET_KEY_SECRET] for use in uses)

    @cached_property
    def accepted(self) -> bool:
        if self._key.name == "redis-password":
            return redis.accepts(self._kube, self._new)
        if self._key.database == "managed":
            return not self._login_refusal(whole=False)
        if self._key.database:
            return database.accepts(self._kube, self._new)
        if self._key.name == "git-key":
            return git_host.accepts(self._kube, self._new)
        try:
            airflow_api(Deployment.of(self._outputs), self._kube).import_failures()
        except AirflowRequestFailed as error:
            if error.status:
                return False
            raise
        return True

    @cached_property
    def alone(self) -> bool:
        if self._key.database == "managed":
            return not self._in_roles_pod("others")
        return database.is_alone(self._kube, self._new)

    @cached_property
    def apart(self) -> bool:
        pod = self._outputs.get(outputs.DATABASE_ROLES_POD)
        if pod is None:
            return False
        master, known = (
            read_database_uri(self._secret(name).get("connection", ""))
            for name in (managed_roles.master_secret(pod), str(self._outputs[outputs.METADATA_SECRET]))
        )
        return master is not None and known is not None and master.password != known.password

    def admit(self) -> None:
        """Let the server accept the new password too. Raises ClusterRequestFailed; it can then be run again."""
        if self._key.name == "redis-password":
            redis.admit(self._kube, self._new)
        else:
            database.admit(self._kube, self._new, by=self.deployed or "")

    def retire(self) -> None:
        """Let the database accept the new password alone. Raises ClusterRequestFailed; it can then be run again."""
        if self._key.database == "managed":
            self._in_roles_pod("retire")
        else:
            database.retire(self._kube, self._new)

    def renew(self) -> None:
        """Encrypt again what the new key did not encrypt. Raises ClusterRequestFailed; it can then be run again."""
        self.__dict__["encrypted"] = self._on_database("renew")

    @cached_property
    def token_seconds(self) -> float:
        """Seconds for which a token of a task is accepted after it was signed, by Airflow's own options."""
        pod = self._scheduler("the lifetime of tokens could be read")
        done = self._kube.run(pod.name, _SCHEDULER, ("python", "-c", _TOKEN_SECONDS), seconds=_SECONDS)
        try:
            return float(done.stdout.strip().splitlines()[-1])
        except (ValueError, IndexError):
            raise ClusterRequestFailed(
                f"the lifetime of tokens could not be read in {pod.name} (exit code {done.exit_code})",
                f"kubectl logs {pod.name}; then run it again",
            ) from None

    def _login_refusal(self, *, whole: bool) -> str:
        assert self._cluster is not None
        sleep = self._waiting("the pod that logs in with the new role has not ended", "")
        return login_refusal(*self._cluster(), self._new, sleep, whole=whole)

    def _in_roles_pod(self, mode: str) -> str:
        assert self._cluster is not None
        sleep = self._waiting("the pod that looks at the roles of the database, or drops them, has not ended", "")
        return managed_roles.run(*self._cluster(), self._outputs[outputs.DATABASE_ROLES_POD], mode, sleep)

    def _config_map(self, name: str) -> Mapping[str, str]:
        try:
            return self._kube.config_map(name)
        except ClusterRequestFailed:
            return {}  # an update has deleted it, and a pod that is ending still names it

    def _scheduler(self, what: str) -> PodKey:
        """Return a scheduler that is ready. Raises ClusterRequestFailed."""
        ready = {pod.name for pod in self._kube.pods({"component": _SCHEDULER}) if pod.ready}
        pod = next((pod for pod in self.pods if pod.name in ready and pod.value is not None), None)
        if pod is None:
            raise ClusterRequestFailed(f"no scheduler is ready, in which {what}", "python -m automation status STACK")
        return pod

    def _on_database(self, mode: str) -> Encrypted:
        """Run the script in a scheduler, which has the database's address and the keys."""
        pod = self._scheduler("the encrypted values could be read")
        done = while_waiting(
            lambda: self._kube.run(pod.name, _SCHEDULER, encrypted_values.command(mode), seconds=_READ_SECONDS),
            self._waiting("the pod has not come through the encrypted values", _DOING[mode]),
        )
        try:
            found = json.loads(done.stdout.strip().splitlines()[-1])
        except (ValueError, IndexError):
            raise ClusterRequestFailed(
                f"the encrypted values could not be read in {pod.name} (exit code {done.exit_code})",
                f"kubectl logs {pod.name}; then run it again",
            ) from None
        keys = self._key.values(pod.value or "")
        return Encrypted(
            read=dict(zip(keys, found["read"], strict=True)),
            unread=tuple(found["unread"]),
            broken=tuple(found["broken"]),
        )
