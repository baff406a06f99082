"""Whether a Git host accepts a deploy key, asked from the pod that will use it."""

from __future__ import annotations

from typing import Final

from automation.cluster.client import KubeClient

_COMPONENT: Final = "dag-processor"
_CONTAINER: Final = "git-sync"
_SECONDS: Final = 60.0
# The key comes by lines and is in a file for as long as the question takes: no process has it among its arguments.
_ASK: Final = """\
umask 077
key=$(mktemp) && trap 'rm -f "$key"' EXIT
while IFS= read -r line && [ -n "$line" ]; do printf '%s\\n' "$line" >> "$key"; done
options="-o IdentitiesOnly=yes -o BatchMode=yes -o ConnectTimeout=20 -o UserKnownHostsFile=/etc/git-secret/known_hosts"
export GIT_SSH_COMMAND="ssh -i $key $options"
git ls-remote "$GITSYNC_REPO" HEAD > /dev/null 2>&1 && echo accepted || echo refused
"""


def accepts(kube: KubeClient, private_key: str) -> bool:
    """Return whether the repository can be read with a key. Raises ClusterRequestFailed."""
    pod = kube.ready_pod({"component": _COMPONENT}, "no DAG processor is ready to ask the Git host")
    # A blank line ends the key.
    done = kube.run(pod.name, _CONTAINER, ("sh", "-c", _ASK), seconds=_SECONDS, line=f"{private_key.strip()}\n")
    return done.stdout.strip() == "accepted"
