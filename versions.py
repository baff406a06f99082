"""Every version that the program pins: one constant each, repeated nowhere else in the repository.

`compatibility.py` says which versions fit together. A pin that a test compares with another file says so.
`# renovate:` lines tell Renovate where to find newer versions.
"""

# renovate: datasource=pypi depName=pulumi
PULUMI_CLI = "3.259.0"
"""Pulumi CLI; equals the SDK pin in requirements.txt (tested). The engine and the SDK speak one protocol version."""

PULUMI_CLI_SHA256 = {
    "pulumi-v3.259.0-darwin-arm64.tar.gz": "57c27f179e527e2cf9f62b841a448af72a020e44b2fb4ee0d9bd85556c00c864",
    "pulumi-v3.259.0-darwin-x64.tar.gz": "eaca4c3b8277bfa3ab061fa3b270d1c66358a0b2e613da8c5587a04b7226c534",
    "pulumi-v3.259.0-linux-arm64.tar.gz": "edc8327463a72160bb36cf82cf5062da9c8a244290a706d9980988e7bf486853",
    "pulumi-v3.259.0-linux-x64.tar.gz": "94ba357acac23d01474084c4b00098dc0f7bc70ce13f34c777459254a5f718e5",
}
"""SHA-256 of each archive of the CLI on the release's page on GitHub, by its name.

The source is Pulumi's own Homebrew formula of that version (github.com/pulumi/homebrew-tap). A new version of the CLI
needs new lines (tested).
"""

PULUMI_CLI_MINIMUM = "3.221.0"
"""Oldest CLI that supports resource hooks with the SDK pinned here."""

# renovate: datasource=helm depName=airflow registryUrl=https://airflow.apache.org
AIRFLOW_CHART = "1.22.0"
"""Official Airflow Helm chart; `chart/` holds its schema and default values (tested)."""

AIRFLOW_CHART_SHA256 = "1f7d1dfe3d58e2c54899950aba907a43625a18c8b6fb3c54760c21592129a5b6"
"""SHA-256 of the released `airflow-1.22.0.tgz`, which pins the content and not only the number."""

# renovate: datasource=docker depName=apache/airflow
AIRFLOW = "3.2.2"
"""Airflow that the chart deploys by default; equals the defaults in Pulumi.yaml (tested)."""

# renovate: datasource=docker depName=postgres
POSTGRES_IMAGE_TAG = "17-bookworm"
"""Tag of the official `postgres` image for the container database. A new major version cannot read the old files."""

# renovate: datasource=github-releases depName=kubernetes-sigs/kind
KIND = "0.31.0"
"""Version of Kind with which `KIND_NODE_IMAGE` was published."""

# renovate: datasource=docker depName=kindest/node
KIND_NODE_IMAGE = "kindest/node:v1.35.0@sha256:452d707d4862f52530247495d180205e029056831160e22870e37e3f6c1ac31f"
"""Kubernetes of the local cluster: the newest minor version that Airflow 3.2.2 is tested with (1.30 to 1.35).

The digest is from Kind's release notes, because a tag of this image may be pushed again for another Kind.
"""

# renovate: datasource=python-version depName=python
AIRFLOW_IMAGE_PYTHON = "3.12"
"""Python of the image in `image/`, in its base image, its lock file and Airflow's constraints (tested)."""

AIRFLOW_CONSTRAINTS_SHA256 = "dd09ca7bc7da06f209dbc57005c38beccad9464e8d33e55598519d904e798c85"
"""SHA-256 of `constraints-3.12.txt` at the tag `constraints-3.2.2` of apache/airflow, which the image's lock obeys.

The official image has the same file as `/home/airflow/constraints.txt`.
"""

# renovate: datasource=pypi depName=uv
UV = "0.13.0"
"""uv that writes the image's lock file, by the hashes of `image/requirements-uv.txt`, and builds the image (tested)."""

# renovate: datasource=github-releases depName=rhysd/actionlint
ACTIONLINT = "1.7.12"
"""actionlint, with which CI checks the workflows."""

# renovate: datasource=github-releases depName=helm/helm
HELM = "3.20.0"
"""Helm that renders the chart for the change reports of the workflows. The engine has a Helm of its own."""

# renovate: datasource=github-releases depName=anchore/syft
SYFT = "1.50.0"
"""Syft, which lists the packages of the image."""

TOOLS_SHA256 = {
    "https://github.com/rhysd/actionlint/releases/download/v1.7.12/actionlint_1.7.12_linux_amd64.tar.gz": (
        "8aca8db96f1b94770f1b0d72b6dddcb1ebb8123cb3712530b08cc387b349a3d8"
    ),
    "https://github.com/rhysd/actionlint/releases/download/v1.7.12/actionlint_1.7.12_linux_arm64.tar.gz": (
        "325e971b6ba9bfa504672e29be93c24981eeb1c07576d730e9f7c8805afff0c6"
    ),
    "https://get.helm.sh/helm-v3.20.0-linux-amd64.tar.gz": (
        "dbb4c8fc8e19d159d1a63dda8db655f9ffa4aac1b9a6b188b34a40957119b286"
    ),
    "https://get.helm.sh/helm-v3.20.0-linux-arm64.tar.gz": (
        "bfb14953295d5324d47ab55f3dfba6da28d46c848978c8fbf412d4271bdc29f1"
    ),
    "https://github.com/kubernetes-sigs/kind/releases/download/v0.31.0/kind-linux-amd64": (
        "eb244cbafcc157dff60cf68693c14c9a75c4e6e6fedaf9cd71c58117cb93e3fa"
    ),
    "https://github.com/kubernetes-sigs/kind/releases/download/v0.31.0/kind-linux-arm64": (
        "8e1014e87c34901cc422a1445866835d1e666f2a61301c27e722bdeab5a1f7e4"
    ),
    "https://github.com/anchore/syft/releases/download/v1.50.0/syft_1.50.0_linux_amd64.tar.gz": (
        "bf7b29ff57f06da30918266a0e1c2885a8f99784798d1bdb1628886aa015d788"
    ),
    "https://github.com/anchore/syft/releases/download/v1.50.0/syft_1.50.0_linux_arm64.tar.gz": (
        "887c57cbcc2d0e8c5c110a4571a3fc7150058b24d74f993ee4663516e5c8ce86"
    ),
}
"""SHA-256 of what the workflows download, by its address. A new version needs new lines (tested).

Each is in two independent repositories: those of actionlint, Kind and Syft in cashapp/hermit-packages (`NAME.hcl`),
Kind's and Helm's in harvester/harvester (`Dockerfile`), and Helm's for amd64 in
SovereignCloudStack/scs-training-kaas-scripts. The others are in several smaller ones too.
"""
