"""The texts with which a registry or a Git host refuses, so that the same attempt will fail again.

The preflight makes sentences of these texts, and a wait ends early because of them. They come from containerd and
registries, from git 2.39, OpenSSH 9.2 and libcurl, and from GitHub, GitLab and Bitbucket. They are compared without
case.
"""

from __future__ import annotations

import re
from typing import Final

IMAGE_DENIED: Final = r"unauthorized|denied|insufficient_scope|no basic auth|authentication required|forbidden"
IMAGE_MISSING: Final = r"not found|manifest unknown|name unknown|not exist|no match for platform"
IMAGE_NAME_INVALID: Final = r"invalid reference|couldn't parse image|InvalidImageName"
IMAGE_NEVER_PULLED: Final = r"pull policy of never|not present with pull policy|ErrImageNeverPull"

GIT_NO_REF: Final = (
    r"couldn't find remote ref|remote branch .* not found|not our ref|unknown revision|no such ref was fetched"
)
GIT_HOST_KEY: Final = r"host key verification failed|remote host identification has changed|no \S+ host key is known"
GIT_KEY: Final = r"permission denied \(|too many authentication failures|load key .*: (error in|invalid format)"
GIT_CERTIFICATE: Final = (
    r"certificate subject name|ssl certificate problem|certificate verif|self.signed certificate"
    r"|unable to get local issuer|certificate has expired|no alternative certificate"
)
GIT_LOGIN: Final = (
    r"authentication failed|could not read (username|password)|returned error: 40[13]|access denied"
    r"|invalid (username|credentials)|terminal prompts disabled"
)
GIT_NO_REPOSITORY: Final = (
    r"repository not found|repository '?[^']*'? not found|does not appear to be a git repository"
    r"|returned error: 404|no such repository|does not exist or you do not have"
)

_IMAGE: Final = re.compile(
    "|".join((IMAGE_DENIED, IMAGE_MISSING, IMAGE_NAME_INVALID, IMAGE_NEVER_PULLED)), re.IGNORECASE
)
_GIT: Final = re.compile(
    "|".join((GIT_NO_REF, GIT_HOST_KEY, GIT_KEY, GIT_CERTIFICATE, GIT_LOGIN, GIT_NO_REPOSITORY)), re.IGNORECASE
)


def image_refused(text: str) -> bool:
    """Tell whether an image cannot be pulled because it does not exist, or because the registry refuses it."""
    return _IMAGE.search(text) is not None


def git_refused(text: str) -> bool:
    """Tell whether Git says that a fetch was refused. A host that does not answer is none of these (ADR 11)."""
    return _GIT.search(text) is not None
