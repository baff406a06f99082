"""The preflight checks of a platform, made from its arguments and from the values of its release."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pulumi

from components.aws_access import AwsAccess
from components.chart_values.chart_defaults import chart_values, merged
from components.chart_values.metrics import Monitoring
from components.chart_values.release_inputs import ReleaseInputs
from components.chart_values.security_contexts import said_of_all_pods
from components.chart_values.values import airflow_values
from components.dags.delivery import Dags, DagsDelivery
from components.dags.git_login import KEYS
from components.database.access import logged_in
from components.database.connection import ContainerDatabase, Database
from components.database.job_template import DatabaseJob
from components.kube.images import Images
from components.kube.secret import secrets_of
from components.monitoring.exporter import exporter_spec
from components.platform_args import AirflowPlatformArgs
from components.platform_database import judged_pods
from components.platform_image import image_needs
from components.platform_monitoring import exporter_pod
from components.platform_release import inputs_without_secrets
from components.platform_secrets import client_certificate, existing_keys, log_connection
from components.platform_verification import verification_pod
from components.preflight import image_packages, issuer
from components.preflight.aws_pods import AwsTrial, aws_about, aws_pod
from components.preflight.broker import VALUES_OF, broker_about, broker_pod
from components.preflight.checks import CheckKind, cluster_document, pod_document
from components.preflight.component_pods import with_own_files
from components.preflight.existing_files import team_files
from components.preflight.existing_secrets import ExistingSecret
from components.preflight.finding import Preflight
from components.preflight.git_pod import git_about, git_pod
from components.preflight.image_dags import dags_folder, image_dags_about, image_dags_pod
from components.preflight.needs import api_needs, release_pods, storage_needs
from components.preflight.other_pods import database_about, database_pod, images_pod
from components.preflight.own_nodes import own_nodes
from components.preflight.pod_surroundings import as_the_team_s
from components.preflight.preflight import ClusterPreflight, ClusterPreflightArgs
from components.release.airflow_release import RELEASE_NAME
from components.release.job_pods import job_pod
from components.secrets.recognised import recognised
from components.task_logs.store import TaskLogStore
from components.user_values.user_values import with_helm_values

_Checked = tuple[pulumi.Resource, ...]


class PlatformChecks:
    """Makes the checks of a platform as its children. With `airflow:preflight` off, it makes none."""

    def __init__(
        self,
        name: str,
        args: AirflowPlatformArgs,
        images: Images,
        namespace: pulumi.Input[str],
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Make nothing yet but the component.

        Args:
            name: Name of the platform.
            args: Arguments of the platform.
            images: Its images, with the stack's own pull Secret.
            namespace: Its namespace.
            opts: Options of its children.
        """
        self._args, self._images = args, images
        self._values: Mapping[str, Any] = {}
        self._preflight: ClusterPreflight | None = None
        if args.preflight is Preflight.OFF:
            return
        # No part of these values that a check reads depends on a name that is made up here.
        self._values = self._complete(inputs_without_secrets(args, images))
        self._preflight = ClusterPreflight(
            f"{name}-preflight",
            ClusterPreflightArgs(
                namespace=namespace,
                mode=args.preflight,
                release_name=RELEASE_NAME,
                kubeconfig=args.kubeconfig,
                kube_context=args.kube_context,
                secrets=_secrets(args),
            ),
            opts,
        )

    def cluster(self) -> _Checked:
        """Look for classes, APIs and room. Nothing but the namespace needs to exist."""
        args, values = self._args, self._values
        if self._preflight is None:
            return ()
        pods = [
            {**item, "pod": as_the_team_s(item["pod"], args.helm_values, item["component"])}
            for item in release_pods(values, self._images, RELEASE_NAME)
        ]
        if args.monitoring is not Monitoring.OFF:
            # The cluster judges the pod, not whether the Secret is there; it must have the form of a name.
            exporter = exporter_spec(exporter_pod(args, self._images, "not-made-yet", None))
            pods.append({"component": "exporter", "pods": 1, "pod": exporter["template"]})
        verification = verification_pod(args, self._images)
        if verification is not None:
            pods.append({"component": "verification", "pods": 1, "pod": verification})
        pods += judged_pods(args, self._images)
        needs: dict[str, Any] = {
            "storage": storage_needs(
                values, args.task_logs, args.executor, container_database=isinstance(args.database, ContainerDatabase)
            ),
            "ingress": (args.ingress.class_name or "") if args.ingress else "",
            "apis": api_needs(values, args.autoscaling, args.worker_groups, args.monitoring),
            "pods": pods,
        }
        if values.get("quotas"):
            needs["quota"] = {"name": f"{RELEASE_NAME}-resource-quota", "hard": values["quotas"]}
        files = team_files(args.helm_values, (group.values for group in args.worker_groups))
        return (self._preflight.check(cluster_document(needs, existing_keys(args.existing_keys), files)),)

    def images(self) -> _Checked:
        """Pull every image but git-sync's, and look into Airflow's."""
        if self._preflight is None:
            return ()
        args, needs = self._args, image_needs(self._args)
        pod = images_pod(
            self._values,
            self._images,
            args.executor,
            container_database=isinstance(args.database, ContainerDatabase),
            pgbouncer=args.pgbouncer is not None,
            said=said_of_all_pods(args.helm_values),
            needs=needs,
        )
        pod = as_the_team_s(pod, args.helm_values)
        about = image_packages.about(self._images.airflow, args.airflow_version, needs)
        return (self._preflight.check(pod_document(CheckKind.IMAGES, pod, about)),)

    def nodes(self) -> _Checked:
        """Pull the images of components that have nodes of their own, such as worker groups, on these nodes."""
        if self._preflight is None:
            return ()
        check, users = self._preflight.check, self._args.helm_values
        return tuple(
            check(pod_document(CheckKind.NODES, as_the_team_s(own.pod, users), own.about), of=own.name)
            for own in own_nodes(self._values, self._images, RELEASE_NAME, said_of_all_pods(users))
        )

    def dags(self, inputs: ReleaseInputs, after: Sequence[pulumi.Resource]) -> _Checked:
        """Fetch the DAGs once, or look for them in the image.

        inputs: Those of the release, by which pods have the key.
        """
        if self._preflight is None:
            return ()
        dags = self._args.dags
        if dags.delivery is DagsDelivery.IMAGE:
            return self._dags_in_image(after)
        if dags.bundles:
            return self._bundles(dags, inputs, after)
        pod = self._processor(git_pod(dags, self._complete(inputs), self._images, RELEASE_NAME))
        about, login = git_about(dags), self._args.git.login
        wanted = (
            [] if login is None else [ExistingSecret(name=login.secret, keys=KEYS[login.kind], setting=login.setting)]
        )
        if login is not None:
            about |= {"login_key": login.setting, "login_name": login.secret}
        return (self._preflight.check(pod_document(CheckKind.GIT, pod, about, wanted), after),)

    def _bundles(self, dags: Dags, inputs: ReleaseInputs, after: Sequence[pulumi.Resource]) -> _Checked:
        assert self._preflight is not None
        checked, values = [], self._complete(inputs)
        for index, bundle in enumerate(dags.bundles):
            one = replace(dags, repository=bundle.repository, ref=bundle.ref, sub_path=bundle.sub_path)
            pod = self._processor(git_pod(one, values, self._images, RELEASE_NAME, bundle.connection_id))
            about = {**git_about(one), "bundle": bundle.name, "index": str(index)}
            wanted = []
            if bundle.secret is not None:
                setting = f"airflow:dagBundles[{index}].{'keySecret' if bundle.by_key else 'tokenSecret'}"
                wanted = [ExistingSecret(name=bundle.secret, keys=bundle.secret_keys, setting=setting)]
                about["login_name"] = bundle.secret
            document = pod_document(CheckKind.GIT, pod, about, wanted)
            checked.append(self._preflight.check(document, after, bundle.name))
        return tuple(checked)

    def _dags_in_image(self, after: Sequence[pulumi.Resource]) -> _Checked:
        folder = dags_folder(self._values)
        if self._preflight is None or folder is None:
            return ()
        pod = image_dags_pod(folder, self._values, self._images, said_of_all_pods(self._args.helm_values))
        about = image_dags_about(folder, self._images)
        return (self._preflight.check(pod_document(CheckKind.DAGS, self._processor(pod), about), after),)

    def _processor(self, pod: Mapping[str, Any]) -> dict[str, Any]:
        return as_the_team_s(pod, self._args.helm_values, "dagProcessor")

    def database(self, database: Database, job: DatabaseJob, after: Sequence[pulumi.Resource]) -> _Checked:
        """Log in to a database that is not a container of the stack, which is new or has been migrated."""
        if self._preflight is None or isinstance(self._args.database, ContainerDatabase):
            return ()
        about = database_about(logged_in(database, self._args.logins.used))
        wanted = client_certificate(self._args.client_certificate)
        return (self._preflight.check(pod_document(CheckKind.DATABASE, database_pod(job), about, wanted), after),)

    def broker(self, secret: pulumi.Input[str] | None, after: Sequence[pulumi.Resource]) -> _Checked:
        """Log in to a broker outside the stack, as a worker will. secret: name of the Secret with its URL."""
        args = self._args
        if self._preflight is None or args.broker is None or secret is None:
            return ()
        team = with_own_files(job_pod(args.helm_values), args.helm_values, VALUES_OF)
        pod = broker_pod(secret, self._values, self._images, team, RELEASE_NAME)
        return (self._preflight.check(pod_document(CheckKind.BROKER, pod, broker_about(args.broker)), after),)

    def login(self, after: Sequence[pulumi.Resource]) -> _Checked:
        """Ask the issuer for its metadata, as the API server will when somebody logs in."""
        args = self._args
        if self._preflight is None or args.oidc is None:
            return ()
        url, team = args.oidc.issuer, with_own_files(job_pod(args.helm_values), args.helm_values, issuer.VALUES_OF)
        pod = issuer.issuer_pod(url, self._values, self._images, team, RELEASE_NAME)
        return (self._preflight.check(pod_document(CheckKind.LOGIN, pod, issuer.issuer_about(url)), after),)

    def aws(self, inputs: ReleaseInputs, in_aws: AwsAccess, after: Sequence[pulumi.Resource]) -> _Checked:
        """Try the place of task logs in S3 and the secrets in AWS, with the service accounts of the pods that use them.

        after: Also what gives these pods their roles.
        """
        args, checked = self._args, []
        if self._preflight is None:
            return ()
        values, cluster = self._complete(inputs), args.aws.cluster.name if args.aws else ""
        for trial in _aws_trials(args, in_aws):
            team = with_own_files(job_pod(args.helm_values), args.helm_values, trial.values_of)
            pod = aws_pod(trial, values, self._images, team, RELEASE_NAME)
            about = aws_about(trial, values, RELEASE_NAME, cluster)
            document = pod_document(CheckKind.AWS, pod, about, log_connection(args))
            checked.append(self._preflight.check(document, after, trial.account))
        return tuple(checked)

    def _complete(self, inputs: ReleaseInputs) -> dict[str, Any]:
        """Return the values of the release over the chart's own, as the templates see them."""
        return merged(chart_values(), with_helm_values(airflow_values(inputs), self._args.helm_values))


def _aws_trials(args: AirflowPlatformArgs, in_aws: AwsAccess) -> Iterator[AwsTrial]:
    """Yield what pods do in AWS, as far as it can be tried: nothing is known of what tasks do there."""
    place, prefix = args.task_logs.place, args.secrets_prefix
    in_s3 = args.task_logs.store is TaskLogStore.S3 or (place is not None and place.url.startswith("s3://"))
    logs = in_aws.remote_logs if in_s3 else None
    if logs is not None:
        workers = "workers.celery" if args.executor.celery else "workers.kubernetes"
        role = in_aws.roles.get("worker")
        yield AwsTrial(account="worker", values_of=workers, steps=("write", "read"), logs=logs, role=role)
    steps = (*(("read",) if logs is not None else ()), *(("secret",) if prefix is not None else ()))
    if steps:
        yield AwsTrial(
            account="api-server",
            values_of="apiServer",
            steps=steps,
            logs=logs,
            role=in_aws.roles.get("api-server"),
            secrets=prefix or "",
        )


def _secrets(args: AirflowPlatformArgs) -> tuple[str, ...]:
    """Return the secrets of the config, and those in a team's values. A pod or a webhook may quote any of them."""
    return tuple(sorted({*secrets_of(args), *recognised(args.helm_values)}))
