"""Run the program of this checkout under the recorder, in this process, and plan what it registers."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import runpy
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pulumi

from automation.helm_template import ChartRefusedError, RenderingError, rendered
from automation.plan import stand_ins
from automation.plan.answers import AWS_ACCOUNT, AWS_REGION
from automation.plan.failures import failure_of
from automation.plan.model import RELEASE_TYPE, Failure, FailureKind, Plan, PlannedResource
from automation.plan.pod_refusals import pod_refusals
from automation.plan.policies import plan_results
from automation.plan.recorder import Recorder, Registration, SecretValue
from automation.project_files import ENCRYPTION, read_yaml
from components.release.chart_archive import ARCHIVE, ChartError, chart_archive
from components.secrets.logins import shown_url
from components.secrets.masker import Masker
from components.secrets.recognised import recognised
from policy.context import DecisionsInvalid, decided_in
from settings import SettingsError, loading

_PROGRAM = "__main__.py"


@dataclass(frozen=True, kw_only=True)
class Request:
    """The stack to plan, and how."""

    stack: str
    render: bool = True
    """Find the chart and let Helm render it."""
    key: str = ""
    """Key of the digests in masks, in hexadecimal digits; plans that are compared share one."""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Known values of secret config keys, by short key; the others are stood in for."""


def plan(project: Path, request: Request) -> Plan:
    """Return the plan of a stack of the program in `project`. Any error of the program is the plan's failure."""
    masker = Masker(bytes.fromhex(request.key), request.secrets.values())
    if not (project / f"Pulumi.{request.stack}.yaml").is_file():
        text = f"there is no Pulumi.{request.stack}.yaml"
        return Plan(stack=request.stack, failure=Failure(kind=FailureKind.NO_STACK, text=text))
    try:
        config = stand_ins.plan_config(project, request.stack, request.secrets)
        decided = decided_in(project, request.stack)
    except SettingsError as error:
        return Plan(stack=request.stack, failure=failure_of(error, project, masker))
    except DecisionsInvalid as error:
        return Plan(stack=request.stack, failure=Failure(kind=FailureKind.SETTINGS, text=str(error)))
    for secret in (*config.secrets, *recognised(config.helm_values)):
        masker.learn(secret)
    found = _PlanRun(project, request, config, masker, decided).plan()
    if found.failure:
        return found
    encrypted = _encryption(project / f"Pulumi.{request.stack}.yaml", masker)
    return replace(found, decided=tuple(sorted(map(masker.text, decided))), encryption=encrypted)


def _encryption(path: Path, masker: Masker) -> dict[str, str]:
    """Return what a stack's file says of its encryption (see `Plan`); nothing where it says nothing yet."""
    content = read_yaml(path)
    provider, *keys = (str(content.get(name) or "") for name in ENCRYPTION)
    if not any((provider, *keys)):
        return {}
    by = masker.text(shown_url(provider)) if provider else "a passphrase"
    return {"by": by, "key": hashlib.sha256("\n".join(keys).encode()).hexdigest()}


class _PlanRun:
    """One run of the program."""

    def __init__(
        self,
        project: Path,
        request: Request,
        config: stand_ins.PlanConfig,
        masker: Masker,
        decided: frozenset[str],
    ) -> None:
        self._project, self._request, self._config, self._masker = project, request, config, masker
        self._decided = decided
        self._chart: Path | None = None
        self._no_chart = "not asked for"

    def plan(self) -> Plan:
        """Return the whole plan."""
        request, messages = self._request, _Messages()
        # A generated name is made of its content: where secrets are known, nobody may guess them by it.
        recorder = Recorder(
            messages.logger,
            seed=request.key if request.secrets else "",
            region=self._config.text("awsRegion") or AWS_REGION,
            account=self._config.text("awsAccountId") or AWS_ACCOUNT,
        )
        try:
            self._run(recorder)
            failure = None
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            failure = error
        self._learn(recorder)
        told = tuple(self._masker.text(text) for text in sorted(messages.texts))
        if failure is not None:
            return Plan(stack=request.stack, messages=told, failure=failure_of(failure, self._project, self._masker))
        try:
            manifests, no_objects = self._manifests(recorder)
        except ChartRefusedError as error:
            failed = Failure(kind=FailureKind.CHART, text=self._masker.text(str(error)))
            return Plan(stack=request.stack, messages=told, failure=failed)
        secrets = (*self._config.secrets, *recorder.generated)
        policies = plan_results(recorder.every(), manifests, secrets, self._decided)
        stack = next(
            (found for urn, found in sorted(recorder.outputs.items()) if urn.endswith(f"-{request.stack}")), {}
        )
        return Plan(
            stack=request.stack,
            resources=tuple(self._resource(found) for found in recorder.every()),
            outputs=self._masker.value(self._masked(stack)),
            objects=None
            if manifests is None
            else tuple(self._masker.kubernetes_object(manifest) for manifest in manifests),
            no_objects=no_objects,
            policies=tuple(replace(found, **self._masker.value(asdict(found))) for found in policies),
            placeholders=self._config.placeholders,
            stand_ins=stand_ins.aws_stand_ins(self._config),
            messages=told,
        )

    def _run(self, recorder: Recorder) -> None:
        stand_ins.stand_in_for_aws()
        vars(loading).update(chart_archive=self._found_chart)
        pulumi.runtime.set_all_config(dict(self._config.values), sorted(self._config.secret_keys))
        asyncio.set_event_loop(asyncio.new_event_loop())
        recorder.run(lambda: runpy.run_path(str(self._project / _PROGRAM)), stack=self._request.stack)

    def _found_chart(self, given: str, project: Path) -> str:
        """Stand in for `chart_archive`: without a chart there is no error, but nothing to render."""
        if self._request.render:
            try:
                found = chart_archive(given, project)
                self._chart = project / found
                return found
            except (ChartError, OSError) as error:
                self._no_chart = str(error).replace(str(Path.home()), "~")
        return f"./.charts/{ARCHIVE}"

    def _learn(self, recorder: Recorder) -> None:
        for secret in recorder.generated:
            self._masker.learn(secret)
        for found in recorder.every():
            for value in _secret_values(found.inputs):
                self._masker.learn_wrapped(value)

    def _manifests(self, recorder: Recorder) -> tuple[tuple[dict[str, Any], ...] | None, str]:
        """Return what Helm would install, unmasked, or None and why there is nothing. Raises ChartRefusedError."""
        release = next(iter(recorder.every(RELEASE_TYPE)), None)
        if release is None:
            return None, "the program has no release of the chart"
        if self._chart is None:
            return None, self._masker.text(self._no_chart)
        inputs = release.revealed
        try:
            values = inputs.get("values") or {}
            manifests = rendered(self._chart, inputs["name"], inputs["namespace"], values)
            refused = pod_refusals(manifests)
            if refused:
                raise ChartRefusedError(f"airflow:helmValues: Kubernetes would refuse it: {'; '.join(refused)}")
            return manifests, ""
        except ChartRefusedError:
            raise
        except RenderingError as error:
            return None, self._masker.text(str(error))

    def _resource(self, found: Registration) -> PlannedResource:
        request = found.request
        return PlannedResource(
            urn=self._masker.text(found.urn),
            type=found.type,
            name=self._masker.text(found.name),
            component=found.is_component,
            inputs=self._masker.inputs(found.type, self._masked(found.inputs)),
            protect=found.protected,
            retain_on_delete=bool(request.retainOnDelete),
            ignore_changes=tuple(request.ignoreChanges),
            made_of={
                key: tuple(sorted(dependencies.urns))
                for key, dependencies in sorted(request.propertyDependencies.items())
                if dependencies.urns
            },
        )

    def _masked(self, value: Any) -> Any:
        """Return a value with a mask for each secret."""
        if isinstance(value, SecretValue):
            return self._masker.secret(value.value)
        if isinstance(value, Mapping):
            return {key: self._masked(item) for key, item in value.items()}
        return [self._masked(item) for item in value] if isinstance(value, list) else value


class _Messages(logging.Handler):
    """Keep what the program logs."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.texts: list[str] = []
        self.logger = logging.Logger("program", logging.INFO)
        self.logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(f"{record.levelname.lower()}: {record.getMessage()}")


def _secret_values(value: Any) -> list[Any]:
    """Return the values in a resource's inputs that are marked as secret."""
    if isinstance(value, SecretValue):
        return [value.value]
    if isinstance(value, Mapping):
        return [found for item in value.values() for found in _secret_values(item)]
    return [found for item in value for found in _secret_values(item)] if isinstance(value, list) else []
