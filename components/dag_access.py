"""How the pods of a platform get DAGs: the Git key, token or app, or the connections of bundles."""

from __future__ import annotations

import pulumi

from components.chart_values.release_inputs import DagAccess
from components.dags.delivery import DagsDelivery
from components.dags.git_bundle import GitBundle, GitBundleArgs
from components.dags.git_bundles import GitBundles, GitBundlesArgs
from components.dags.git_login import login_mount, login_variables, login_volume
from components.dags.git_ssh_key import GitSshKey, GitSshKeyArgs
from components.dags.git_token import GitToken, GitTokenArgs
from components.platform_args import AirflowPlatformArgs


def dag_access(
    platform: pulumi.ComponentResource, name: str, args: AirflowPlatformArgs, namespace: pulumi.Input[str]
) -> DagAccess:
    """Make the credentials and connections by which pods get DAGs, and return how they use them.

    Args:
        platform: The parent.
        name: Name of the platform.
        args: Its arguments.
        namespace: Name of its namespace.
    """
    dags, git, child = args.dags, args.git, pulumi.ResourceOptions(parent=platform)
    if dags.bundles:
        bundles_args = GitBundlesArgs(
            namespace=namespace, bundles=dags.bundles, sync_period_seconds=dags.sync_period_seconds
        )
        bundles = GitBundles(f"{name}-git-bundle", bundles_args, child)
        return DagAccess(
            bundle_config=tuple(bundles.bundle_config),
            env=tuple(bundles.env),
            volumes=tuple(bundles.volumes),
            volume_mounts=tuple(bundles.volume_mounts),
            in_triggerer=False,
        )
    ssh_key: GitSshKey | None = None
    if git.ssh_private_key is not None:
        ssh_key = GitSshKey(
            f"{name}-git-ssh-key",
            GitSshKeyArgs(
                namespace=namespace,
                repository=dags.repository,
                private_key=git.ssh_private_key,
                known_hosts=git.known_hosts,
            ),
            child,
        )
    if dags.delivery is DagsDelivery.GIT_BUNDLE:
        bundle = GitBundle(
            f"{name}-git-bundle",
            GitBundleArgs(
                namespace=namespace,
                dags=dags,
                ssh_key_secret=ssh_key.secret if ssh_key else None,
                username=git.username,
                token=git.token,
                login=git.login,
            ),
            child,
        )
        return DagAccess(
            bundle_config=tuple(bundle.bundle_config),
            env=tuple(bundle.env),
            volumes=tuple(bundle.volumes),
            volume_mounts=tuple(bundle.volume_mounts),
        )
    if ssh_key is not None:
        return DagAccess(ssh_key_secret=ssh_key.secret, known_hosts=ssh_key.known_hosts)
    if git.username is not None and git.token is not None:
        token_args = GitTokenArgs(namespace=namespace, username=git.username, token=git.token)
        return DagAccess(credentials_secret=GitToken(f"{name}-git-token", token_args, child).secret)
    if git.login is not None:
        return DagAccess(
            git_sync_env=tuple(login_variables(git.login, dags.repository)),
            git_sync_mounts=(login_mount(),),
            volumes=(login_volume(git.login),),
        )
    return DagAccess()
