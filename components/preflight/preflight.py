"""The preflight of an update: it tries what the release will need, before anything of the release exists.

Each check is a document in a ConfigMap. A hook makes the check before the engine creates or updates that ConfigMap, so
`up` makes it when what it checks has changed, a preview never does, and a check that failed is made again by the next
`up`, because its ConfigMap was not written.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pulumi

from components.kube.client import KubeApi
from components.kube.kube_object import KubeObject
from components.kube.kubeconfig import KubeUnreachable
from components.kube.metadata import object_metadata
from components.kube.rest import KubeRequestFailed
from components.preflight.checks import DOCUMENT, CheckKind
from components.preflight.finding import TYPE, UNSEEN, Finding, Preflight, PreflightFailedError, Verdict
from components.preflight.judgement import LABELS, judged
from components.preflight.pod_run import delete_running
from components.secrets.masker import Masker

_LOOK_SECONDS: Final = 5.0
"""How long the look at a cluster with a quota may take. It is not made again where only the images have changed."""


@dataclass(frozen=True, kw_only=True)
class ClusterPreflightArgs:
    """Arguments of `ClusterPreflight`."""

    namespace: pulumi.Input[str]
    """Namespace in which pods run for the checks."""
    mode: Preflight
    """Whether a failure ends the update or is a warning. With `off`, do not make the component."""
    release_name: str
    """Name of the Helm release, by which a running stack is known."""
    kubeconfig: str | None = field(repr=False)
    """Kubeconfig of the provider."""
    kube_context: str
    """Context of the provider."""
    secrets: Sequence[str] = ()
    """Secrets of the config, which no text may show."""


class ClusterPreflight(pulumi.ComponentResource):
    """The checks that are made before an update changes what runs.

    Raises: PreflightFailedError in the update, with every failure of a check: what was expected, what was found, and
    how to fix it. Where the release runs already, a Git host that does not answer is a warning.
    Replaces: nothing; another document makes its check again. After such a warning, `automation` lets the next update
    replace the check's ConfigMap, which makes the check again.
    Survives a destroy: nothing.
    """

    def __init__(self, name: str, args: ClusterPreflightArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPE, name, None, opts)
        self._name, self._args = name, args
        self._looked = threading.Event()
        self.register_outputs({"namespace": args.namespace})

    def check(self, document: Mapping[str, Any], after: Sequence[pulumi.Resource] = (), of: str = "") -> KubeObject:
        """Return a resource that exists only once the check of a document has been made, and did not fail.

        Args:
            document: Made by `checks`. It may hold Outputs, and no secret.
            after: What must exist before the check is made.
            of: Tells several checks of a kind apart.
        """
        kind = CheckKind(document["kind"])

        async def before(hook: pulumi.ResourceHookArgs) -> None:
            inputs = hook.new_inputs or {}
            namespace, text = str(inputs["metadata"]["namespace"]), str(inputs["data"][DOCUMENT])
            # In a thread: the hook's own loop is that of the program, which registers other resources meanwhile.
            loop = asyncio.get_running_loop()

            def tell(line: str) -> None:
                loop.call_soon_threadsafe(pulumi.log.info, line, self)

            findings = await asyncio.to_thread(self._findings, kind, namespace, text, _stack(hook.urn), tell)
            problems = [finding for finding in findings if finding.verdict is Verdict.FAILED]
            for finding in findings:
                warns, skips = (finding.verdict is verdict for verdict in (Verdict.WARNING, Verdict.SKIPPED))
                text = str(finding) if warns else f"{finding.check}: {finding.what}"
                if (warns or skips) and finding.outage and not problems:
                    pulumi.log.warn(f"{UNSEEN}: {text}", checked)
                elif warns:
                    pulumi.log.warn(text, self)
                elif skips:
                    pulumi.log.info(text, self)
            if problems:
                # The others, and the pod that opens a volume, end with this program.
                await asyncio.to_thread(delete_running)
                _die_when_interrupted()
                raise PreflightFailedError(problems)

        name = f"{self._name}-{kind.value}{of and f'-{of}'}"
        hook = pulumi.ResourceHook(f"{name}-check", before)
        checked = KubeObject(
            "v1",
            "ConfigMap",
            name,
            {
                "metadata": object_metadata(self._args.namespace, LABELS),
                "data": {DOCUMENT: _json(document)},
            },
            pulumi.ResourceOptions(
                parent=self,
                depends_on=after,
                hooks=pulumi.ResourceHookBinding(before_create=[hook], before_update=[hook]),
            ),
        )
        return checked

    def _findings(
        self, kind: CheckKind, namespace: str, text: str, stack: str, tell: Callable[[str], object]
    ) -> tuple[Finding, ...]:
        args = self._args
        api = KubeApi(args.kube_context, args.kubeconfig)
        if kind in (CheckKind.IMAGES, CheckKind.NODES) and _has_quota(api, namespace):
            # The look at the cluster, which goes on beside these, would count their pods.
            self._looked.wait(_LOOK_SECONDS)
        try:
            return judged(
                api,
                namespace,
                text,
                stack,
                mode=args.mode,
                release_name=args.release_name,
                clean=Masker(secrets=args.secrets).text,
                tell=tell,
            )
        finally:
            if kind is CheckKind.CLUSTER:
                self._looked.set()


def _has_quota(api: KubeApi, namespace: str) -> bool:
    try:
        return bool(api.items("v1", "ResourceQuota", namespace, metadata_only=True))
    except (KubeRequestFailed, KubeUnreachable):
        return False  # the check itself says why


def _json(document: Mapping[str, Any]) -> pulumi.Output[str]:
    """Return a document as JSON. The SDK's `json_dumps` makes an Output of each of its hundreds of plain values."""

    def outputs(value: Any) -> Iterator[pulumi.Output[Any]]:
        if isinstance(value, pulumi.Output):
            yield value
        elif isinstance(value, dict | list | tuple):
            for item in value.values() if isinstance(value, dict) else value:
                yield from outputs(item)

    def filled(value: Any, known: Iterator[Any]) -> Any:
        if isinstance(value, pulumi.Output):
            return next(known)
        if isinstance(value, dict):
            return {key: filled(item, known) for key, item in value.items()}
        return [filled(item, known) for item in value] if isinstance(value, list | tuple) else value

    given = dict(document)
    return pulumi.Output.all(*outputs(given)).apply(
        lambda known: json.dumps(filled(given, iter(known)), sort_keys=True)
    )


def _die_when_interrupted() -> None:
    """Let the engine end this program at once. It interrupts the program of an update that has failed.

    Python's own way takes five seconds and a traceback: it waits for threads that wait for the engine.
    """
    with contextlib.suppress(ValueError):  # not in the main thread, as in tests
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def _stack(urn: str) -> str:
    """Return the name of the stack in a URN, for commands. A component may not ask for it otherwise."""
    return urn.removeprefix("urn:pulumi:").partition("::")[0]
