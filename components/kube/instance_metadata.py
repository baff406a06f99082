"""Where clouds have their instance metadata, which no pod may reach: it tells what a node may do, and its secrets."""

from __future__ import annotations

from typing import Final

METADATA_IPV4: Final = "169.254.169.254"
"""That of AWS, Google Cloud, Azure and most others by IPv4."""
METADATA_ADDRESSES: Final = (
    METADATA_IPV4,
    "fd00:ec2::254",  # AWS: docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
    "fd20:ce::254",  # Google Cloud: docs.cloud.google.com/compute/docs/metadata/querying-metadata
    "168.63.129.16",  # Azure's wire server, with a node's protected settings: github.com/Azure/AgentBaker/pull/4470
    "100.100.100.200",  # Alibaba Cloud; this and the rest: docs.cloud-init.io/en/latest/reference/datasources.html
    "169.254.42.42",  # Scaleway
    "fd00:42::42",
    "fd00:a9fe:a9fe::1",  # Akamai
)
"""That, and where clouds have it too or have it alone."""
