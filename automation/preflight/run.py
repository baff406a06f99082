"""Run the program of this checkout under the recorder, in this process, and make the checks that it registers."""

from __future__ import annotations

import json
import runpy
import secrets
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import pulumi

from automation.plan import stand_ins
from automation.plan.failures import failure_of
from automation.plan.recorder import Recorder
from automation.preflight.temporary import documents, present
from components.database.rds_settings import ManagedDatabase
from components.kube.client import KubeApi
from components.kube.kubeconfig import KubeUnreachable
from components.kube.rest import KubeRequestFailed
from components.platform_args import AirflowPlatformArgs
from components.preflight.aws_reasons import CHECK as AWS_CHECK
from components.preflight.checks import CheckKind
from components.preflight.finding import Finding, skipped
from components.preflight.judgement import judged
from components.release.airflow_release import RELEASE_NAME
from components.release.chart_archive import ARCHIVE
from components.secrets.masker import Masker
from components.secrets.recognised import recognised
from settings import loading

_PROGRAM: Final = "__main__.py"


def preflight(project: Path, stack: str, known: Mapping[str, str]) -> dict[str, Any]:
    """Return `{"findings": […], "new_namespace": …}`, or `{"error": text}` if the checks could not be made.

    An interrupt ends the checks; what was made for them is deleted, and KeyboardInterrupt is raised.

    Args:
        project: The checkout.
        stack: The stack.
        known: Its secret config values, by short key.
    """
    masker = Masker(secrets=known.values())
    try:
        platform, recorder = _recorded(project, stack, known)
        masker = masker.knowing(recognised(platform.helm_values))
        found, new_namespace = _made(platform, recorder, stack, masker)
    except (KubeRequestFailed, KubeUnreachable) as error:
        return {"error": masker.text(str(error))}
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return {"error": failure_of(error, project, masker).text}
    return {"findings": [asdict(finding) for finding in found], "new_namespace": new_namespace}


def _recorded(project: Path, stack: str, known: Mapping[str, str]) -> tuple[AirflowPlatformArgs, Recorder]:
    """Return the platform's arguments, and what the program registers, with its secrets."""
    config = stand_ins.plan_config(project, stack, known)
    vars(loading).update(chart_archive=lambda given, folder: f"./.charts/{ARCHIVE}")  # no check reads it
    pulumi.runtime.set_all_config(dict(config.values), sorted(config.secret_keys))
    # Names are made of the seed: two preflights at once must not make the same objects.
    recorder = Recorder(seed=secrets.token_hex(8))
    program = recorder.run(lambda: runpy.run_path(str(project / _PROGRAM)), stack=stack)
    return program["loaded"].platform, recorder


def _made(
    platform: AirflowPlatformArgs, recorder: Recorder, stack: str, masker: Masker
) -> tuple[tuple[Finding, ...], bool]:
    """Make the checks, all at once. Return what they found, and whether the stack's namespace is a new one."""
    texts, left = [], []
    for text in documents(recorder):
        document = json.loads(text)
        kind = CheckKind(document["kind"])
        if kind is CheckKind.DATABASE and isinstance(platform.database, ManagedDatabase):
            left.append(skipped("database", "its password is in the stack's state alone, so up makes this check"))
        elif kind is CheckKind.AWS:
            check = AWS_CHECK.format(account=document["about"]["account"])
            left.append(skipped(check, "an update gives pods their rights in AWS, so up makes this check"))
        else:
            texts.append(text)
    api, ended = KubeApi(platform.kube_context, platform.kubeconfig), threading.Event()

    def sleep(seconds: float) -> None:
        if ended.wait(seconds):
            raise KeyboardInterrupt

    with (
        present(api, platform.namespace, recorder, texts) as namespace,
        ThreadPoolExecutor(max(1, len(texts))) as pool,
    ):
        makers = [
            pool.submit(
                judged,
                api,
                namespace,
                text,
                stack,
                mode=platform.preflight,
                release_name=RELEASE_NAME,
                clean=masker.text,
                sleep=sleep,
            )
            for text in texts
        ]
        try:
            found = [finding for maker in makers for finding in maker.result()]
        finally:
            ended.set()
    return (*found, *left), namespace != platform.namespace
