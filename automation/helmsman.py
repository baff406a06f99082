"""A stack's release as Helmsman's files: pure functions from what a stack is to texts, and the folder they go to.

Owns what is in the files. Not where a stack is found: `Environment.export_helmsman` does that. Of Secrets only names
and keys are read.
Format: github.com/mkubaczyk/helmsman, docs/desired_state_specification.md and docs/how_to/apps/lifecycle_hooks.md.
"""

from __future__ import annotations

import copy
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import outputs
import versions
from automation.errors import AutomationError
from automation.plan.model import RELEASE_TYPE, Plan
from automation.yaml_text import as_yaml, quoted
from components.secrets.masker import Masker
from policy.convert import SIGNATURE

DESIRED_STATE: Final = "helmsman.yaml"
VALUES: Final = "values.yaml"
IMAGE_VALUES: Final = "values.image.yaml"
MANIFESTS: Final = "manifests.yaml"
MIGRATION: Final = "migrate.yaml"
ADMIN_USER: Final = "admin-user.yaml"
PREREQUISITES: Final = "prerequisites.yaml"
FILES: Final = (DESIRED_STATE, VALUES, IMAGE_VALUES, MANIFESTS, MIGRATION, ADMIN_USER, PREREQUISITES)

REPOSITORY: Final = "https://airflow.apache.org"
"""Of the official chart (airflow.apache.org/docs/helm-chart)."""
_REPOSITORY_NAME: Final = "apache-airflow"
_MARK: Final = "# Made by `python -m automation export_helmsman`"

_REPOSITORY_KEYS: Final = (
    ("images", "airflow", "repository"),
    ("images", "pod_template", "repository"),
    ("defaultAirflowRepository",),
    ("config", "kubernetes_executor", "worker_container_repository"),
)
_TAG_KEYS: Final = (
    ("images", "airflow", "tag"),
    ("images", "pod_template", "tag"),
    ("defaultAirflowTag",),
    ("config", "kubernetes_executor", "worker_container_tag"),
)
"""Value keys that follow the first of them, as `components.kube.images` sets them (tested)."""

_KUBERNETES: Final = "kubernetes:"
_NAMESPACE: Final = "kubernetes:core/v1:Namespace"
_SECRET: Final = "kubernetes:core/v1:Secret"
_JOB: Final = "kubernetes:batch/v1:Job"
_STACK: Final = "pulumi:pulumi:Stack"
_JOB_FILES: Final = {"database-migration": MIGRATION, "admin-user": ADMIN_USER}
"""Files of the Jobs, by their label `component`."""
_MANAGED_BY: Final = "app.kubernetes.io/managed-by"
_ENGINES: Final = "pulumi.com/"


class NotExportable(AutomationError):  # noqa: N818 - as its siblings in `errors`
    """The stack cannot be written as Helmsman's files."""


class FolderRefused(AutomationError):  # noqa: N818 - as its siblings in `errors`
    """The folder holds something that an export did not write."""


@dataclass(frozen=True, kw_only=True)
class NamedSecret:
    """name: of the Secret. type: Kubernetes'. keys: of its data, ordered; empty where they are not known."""

    name: str
    type: str
    keys: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Source:
    """What a stack is.

    stack: its name. deployed: it is there, and so are its Secrets.
    release: inputs of the Helm release. chart_version: of the chart. kube_context: of the cluster.
    namespace_labels: of the namespace. objects: what stands beside the release, as manifests; no Secret among them.
    secrets: that values and objects refer to.
    made_up: what is in the files and not real, one clause each.
    """

    stack: str
    deployed: bool
    release: Mapping[str, Any]
    chart_version: str
    kube_context: str
    namespace_labels: Mapping[str, str]
    objects: tuple[Mapping[str, Any], ...]
    secrets: tuple[NamedSecret, ...]
    made_up: tuple[str, ...] = ()

    @property
    def values(self) -> Mapping[str, Any]:
        """Helm's. Pulumi gives it no null, unless told to; in a file a null would take away the chart's default."""
        values: Mapping[str, Any] = self.release.get("values") or {}
        found: Mapping[str, Any] = values if self.release.get("allowNullValues") else _without_nulls(values)
        return found


# Where it comes from


def from_state(stack: str, deployment: Mapping[str, Any]) -> Source | None:
    """The stack as the engine exports it; None where it holds no release. Raises NotExportable."""
    resources = [item for item in deployment.get("resources") or () if not item.get("delete")]
    release = next((item for item in resources if item["type"] == RELEASE_TYPE), None)
    if release is None:
        return None
    if deployment.get("pending_operations"):
        raise NotExportable(
            f"an update of stack {stack} was interrupted, so its state does not say what is there",
            f"python -m automation recover {stack}",
        )
    held = [item for item in resources if item["type"].startswith(_KUBERNETES) and item["type"] != RELEASE_TYPE]
    given = next((item.get("outputs") or {} for item in resources if item["type"] == _STACK), {})
    done: Mapping[str, Any] = release.get("outputs") or {}
    status = done.get("status")
    version = (status.get("version") if isinstance(status, Mapping) else "") or done.get("version")
    return _source(
        stack=stack,
        deployed=True,
        release=release["inputs"],
        chart_version=version if isinstance(version, str) and version else versions.AIRFLOW_CHART,
        kube_context=given.get(outputs.KUBE_CONTEXT),
        held=[(item["type"], item["urn"].rpartition("::")[2], item["inputs"]) for item in held],
    )


def from_plan(plan: Plan) -> Source:
    """A stack that is not there: generated names are without their random end. Raises NotExportable.

    plan: with digests in its masks (`plan_checkout` with a key).
    """
    if plan.failure is not None or plan.release is None:
        said = plan.failure.text if plan.failure is not None else "the program has no release of the chart"
        raise NotExportable(f"stack {plan.stack} cannot be planned: {said}", f"python -m automation plan {plan.stack}")
    kubernetes = [
        found
        for found in plan.resources
        if found.type.startswith(_KUBERNETES) and not found.component and found.type != RELEASE_TYPE
    ]
    nameless = [found.name for found in kubernetes if not (found.inputs.get("metadata") or {}).get("name")]
    rename = _Rename(nameless)
    held = [(found.type, found.name, rename(found.inputs)) for found in kubernetes]
    release = rename(plan.release.inputs)
    foreign = sorted({found.name for found in plan.resources if found.type.startswith("aws:")}, key=len, reverse=True)
    shown = [release.get("values") or {}, *(inputs for type_, _, inputs in held if type_ != _SECRET)]
    made_up = sorted({f"the name {name}" for name in _generated(shown, foreign)})
    return _source(
        stack=plan.stack,
        deployed=False,
        release=release,
        chart_version=versions.AIRFLOW_CHART,
        kube_context=plan.outputs.get(outputs.KUBE_CONTEXT),
        held=held,
        made_up=(*plan.stand_ins, *made_up),
    )


def _source(
    *,
    stack: str,
    deployed: bool,
    release: Mapping[str, Any],
    chart_version: str,
    kube_context: Any,
    held: list[tuple[str, str, Mapping[str, Any]]],
    made_up: tuple[str, ...] = (),
) -> Source:
    """held: type, logical name and inputs of each Kubernetes object of the program."""
    objects = [_manifest(type_, name, inputs) for type_, name, inputs in held if type_ not in (_SECRET, _NAMESPACE)]
    values = release.get("values") or {}
    named = {text for shown in (values, *objects) for text in _texts(shown)}
    secrets = [_secret(name, inputs) for type_, name, inputs in held if type_ == _SECRET]
    namespace = next((inputs for type_, _, inputs in held if type_ == _NAMESPACE), {})
    for what, content in [("Helm values", values), *((_title(found), found) for found in objects)]:
        path = _secret_path(content)
        if path is not None:
            raise NotExportable(
                f"{what} of stack {stack} hold a secret in {path}",
                "put it into a Secret, and name that there; a file for Helmsman must not hold it",
            )
    return Source(
        stack=stack,
        deployed=deployed,
        release=release,
        chart_version=chart_version,
        kube_context=kube_context if isinstance(kube_context, str) else "",
        namespace_labels=_without_engine(namespace.get("metadata") or {}).get("labels") or {},
        objects=tuple(sorted(objects, key=_title)),
        secrets=tuple(sorted((found for found in secrets if found.name in named), key=lambda found: found.name)),
        made_up=made_up,
    )


class _Rename:
    """Takes the generated end off names that are generated."""

    def __init__(self, names: Iterable[str]) -> None:
        longest_first = sorted(set(names), key=len, reverse=True)
        alternatives = "|".join(map(re.escape, longest_first)) or "(?!)"
        self._pattern = re.compile(rf"(?<![\w.-])({alternatives})-[0-9a-f]{{8}}(?![\w.-])")

    def __call__(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: self(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self(item) for item in value]
        return self._pattern.sub(r"\1", value) if isinstance(value, str) else value


def _generated(shown: Iterable[Any], names: list[str]) -> Iterator[str]:
    """Generated names of other resources in what is shown."""
    pattern = re.compile(rf"(?<![\w.-])(?:{'|'.join(map(re.escape, names)) or '(?!)'})-[0-9a-f]{{8}}(?![\w-])")
    for content in shown:
        for text in _texts(content):
            yield from pattern.findall(text)


def _manifest(type_: str, name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """An object as a person would apply it. A Job has no generated name: Helmsman makes it anew at each run."""
    metadata = _without_engine(inputs.get("metadata") or {})
    if type_ == _JOB or not metadata.get("name"):
        metadata["name"] = name
    return {**inputs, "metadata": metadata}


def _without_engine(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata without what says that Pulumi looks after the object."""
    kept = dict(metadata)
    for field in ("labels", "annotations"):
        found = {
            key: item
            for key, item in (metadata.get(field) or {}).items()
            if key != _MANAGED_BY and not key.startswith(_ENGINES)
        }
        kept.pop(field, None)
        if found:
            kept[field] = found
    return kept


def _secret(name: str, inputs: Mapping[str, Any]) -> NamedSecret:
    keys: set[str] = set()
    for field in ("data", "stringData"):
        data = inputs.get(field)
        if isinstance(data, Mapping) and SIGNATURE not in data:
            keys |= set(data)
    metadata = inputs.get("metadata") or {}
    return NamedSecret(
        name=metadata.get("name") or name, type=str(inputs.get("type") or "Opaque"), keys=tuple(sorted(keys))
    )


def _secret_path(value: Any) -> str | None:
    """Where in a value there is a secret, or what looks like one."""
    masker = Masker()

    def find(value: Any, path: str) -> str | None:
        if isinstance(value, Mapping):
            if SIGNATURE in value:
                return path
            found = (find(item, f"{path}.{key}" if path else str(key)) for key, item in value.items())
        elif isinstance(value, list | tuple):
            found = (find(item, f"{path}[{index}]") for index, item in enumerate(value))
        elif isinstance(value, str):
            return path if "[secret" in value or masker.text(value) != value else None
        else:
            return None
        return next((place for place in found if place is not None), None)

    return find(value, "")


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_without_nulls(item) for item in value if item is not None]
    return value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value


def _title(manifest: Mapping[str, Any]) -> str:
    return f"{manifest['kind']} {manifest['metadata']['name']}"


# What is written


def files(source: Source) -> dict[str, str]:
    """Texts by file name; the same for the same source. Raises NotExportable."""
    values, image = split_image(source.values)
    made = {
        DESIRED_STATE: _text(source, ["What Helmsman is to install."], [_desired_state(source)]),
        VALUES: _text(source, [f"Helm values, all but those in {IMAGE_VALUES}."], [values]),
        IMAGE_VALUES: _image_text(source, image),
        PREREQUISITES: _text(source, _prerequisites_comment(source), [_prerequisites(source)]),
    }
    jobs = {file: [found for found in source.objects if _job_file(found) == file] for file in _JOB_FILES.values()}
    comments = {
        MIGRATION: [
            "Migrates the database before the release is installed or upgraded.",
            f"Its image is the release's: what is changed in {IMAGE_VALUES} is to be changed here too.",
        ],
        ADMIN_USER: ["Makes the first user, or gives it its password, after the release is installed."],
    }
    made |= {file: _text(source, comments[file], found) for file, found in jobs.items() if found}
    others = [found for found in source.objects if not _job_file(found)]
    if others:
        comment = ["What stands beside the release. Helmsman does not apply it: do so before its first run,"]
        made[MANIFESTS] = _text(source, [*comment, f"kubectl apply -f {MANIFESTS}"], others)
    return made


def split_image(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Values without the image's repository and tag, and these; merged they are the whole. Raises NotExportable.

    What names another image than `images.airflow` stays: with a digest, task pods have another notation.
    """
    rest, image = copy.deepcopy(dict(values)), dict[str, Any]()
    for keys in (_REPOSITORY_KEYS, _TAG_KEYS):
        leading = _get(values, keys[0])
        if not isinstance(leading, str):
            raise NotExportable(
                f"expected a text in the Helm value {'.'.join(keys[0])}, found {leading!r}", "see airflow:helmValues"
            )
        for path in keys:
            if _get(values, path) == leading:
                _set(image, path, leading)
                _drop(rest, path)
    return rest, image


def _image_text(source: Source, image: Mapping[str, Any]) -> str:
    """Repository and tag stand once, so that one line is changed and nothing is forgotten."""
    comment = [
        "Repository and tag of the Airflow image. The other keys follow these two lines: change them in place.",
        *(
            ["images.airflow.digest is set, and wins over the tag."]
            if _get(source.values, ("images", "airflow", "digest"))
            else []
        ),
    ]
    lines: list[str] = []
    open_: tuple[str, ...] = ()
    for path in sorted(
        (path for path in (*_REPOSITORY_KEYS, *_TAG_KEYS) if _get(image, path) is not None),
        key=lambda path: (path[0] != "images", path),
    ):
        *parents, last = path
        shared = next((at for at, (a, b) in enumerate(zip(parents, open_, strict=False)) if a != b), None)
        shared = min(len(parents), len(open_)) if shared is None else shared
        lines += [f"{'  ' * depth}{parents[depth]}:" for depth in range(shared, len(parents))]
        open_ = tuple(parents)
        name = "repository" if path in _REPOSITORY_KEYS else "tag"
        # Always quoted: a tag such as 3.10 or 1e5 is no number.
        first = path in (_REPOSITORY_KEYS[0], _TAG_KEYS[0])
        value = f"&{name} {quoted(_get(image, path))}" if first else f"*{name}"
        lines.append(f"{'  ' * len(parents)}{last}: {value}")
    return "\n".join([*_header(source, comment), *lines]) + "\n"


def _desired_state(source: Source) -> dict[str, Any]:
    release = source.release
    namespace = str(release["namespace"])
    jobs = {_job_file(found): found for found in source.objects if _job_file(found)}
    hooks: dict[str, Any] = {}
    if MIGRATION in jobs:
        hooks |= {"preInstall": MIGRATION, "preUpgrade": MIGRATION}
    if ADMIN_USER in jobs:
        hooks["postInstall"] = ADMIN_USER
    if hooks:
        seconds = max(int(found["spec"]["activeDeadlineSeconds"]) for found in jobs.values())
        hooks |= {"successCondition": "Complete", "successTimeout": f"{seconds}s", "deleteOnSuccess": True}
    app: dict[str, Any] = {
        "namespace": namespace,
        "enabled": True,
        "chart": f"{_REPOSITORY_NAME}/airflow",
        "version": source.chart_version,
        "valuesFiles": [VALUES, IMAGE_VALUES],
        "wait": not release.get("skipAwait", False),
        "timeout": int(release["timeout"]),
        # Helmsman does not even upgrade what is protected.
        "protected": False,
    }
    if release.get("maxHistory"):
        app["maxHistory"] = int(release["maxHistory"])
    if hooks:
        app["hooks"] = hooks
    state: dict[str, Any] = {
        "helmRepos": {_REPOSITORY_NAME: REPOSITORY},
        "namespaces": {namespace: {"protected": False, "labels": dict(source.namespace_labels)}},
        "apps": {str(release["name"]): app},
    }
    if source.kube_context:
        state["settings"] = {"kubeContext": source.kube_context}
    escaped: dict[str, Any] = _escaped(state)
    return escaped


def _escaped(value: Any) -> Any:
    """Helmsman puts environment variables into its desired state; `$$` is a dollar sign there."""
    if isinstance(value, Mapping):
        return {key: _escaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    return value.replace("$", "$$") if isinstance(value, str) else value


def _prerequisites_comment(source: Source) -> list[str]:
    if source.deployed:
        return ["Secrets that the files refer to. They are there; what deletes them stops Airflow."]
    return [
        "Secrets to be made before the first run, under these names and with these keys; no file here holds a value.",
        *(["madeUp: is in the files and not real; put in what is there."] if source.made_up else []),
    ]


def _prerequisites(source: Source) -> dict[str, Any]:
    secrets = [
        {"name": found.name, "type": found.type, **({"keys": list(found.keys)} if found.keys else {})}
        for found in source.secrets
    ]
    found: dict[str, Any] = {"namespace": source.release["namespace"], "secrets": secrets}
    return {**found, "madeUp": list(source.made_up)} if source.made_up else found


def _job_file(manifest: Mapping[str, Any]) -> str:
    """The file of a Job that Helmsman runs, "" for anything else."""
    if manifest["kind"] != "Job":
        return ""
    return _JOB_FILES.get((manifest["metadata"].get("labels") or {}).get("component", ""), "")


def _get(values: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        values = values.get(key) if isinstance(values, Mapping) else None
    return values


def _set(values: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for key in path[:-1]:
        values = values.setdefault(key, {})
    values[path[-1]] = value


def _drop(values: dict[str, Any], path: tuple[str, ...]) -> None:
    """Without a key, and without the maps that are empty for want of it."""
    if len(path) > 1:
        _drop(values[path[0]], path[1:])
        if values[path[0]]:
            return
    del values[path[0]]


def _text(source: Source, comment: list[str], documents: list[Any]) -> str:
    return "\n".join(_header(source, comment)) + "\n" + "---\n".join(as_yaml(found) for found in documents)


def _header(source: Source, comment: list[str]) -> list[str]:
    made_of = "its state" if source.deployed else "its plan, not from a deployment"
    return [f"{_MARK} from stack {source.stack}: from {made_of}.", *(f"# {line}" for line in comment)]


# The folder


def write_folder(folder: Path, made: Mapping[str, str]) -> None:
    """Makes the folder, or replaces it as a whole. Raises FolderRefused where it holds what no export wrote."""
    folder = folder.resolve()
    foreign = _foreign(folder)
    if foreign:
        raise FolderRefused(
            f"expected no folder {folder.name}, or one of an earlier export; found {', '.join(foreign)}",
            "give another folder with --output, or move that away",
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Beside the folder, so that it can take its place by its name alone.
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
        new, old = Path(temporary) / "new", Path(temporary) / "old"
        new.mkdir()
        for name, text in made.items():
            (new / name).write_text(text, encoding="utf-8")
        if not folder.exists():
            new.rename(folder)
            return
        shutil.copymode(folder, new)
        folder.rename(old)
        try:
            new.rename(folder)
        except BaseException:
            old.rename(folder)
            raise


def _foreign(folder: Path) -> list[str]:
    """Names in a folder that no export wrote; the folder's own where it is a file."""
    if not folder.exists():
        return []
    if not folder.is_dir():
        return [f"a file {folder.name}"]
    return sorted(path.name for path in folder.iterdir() if not _is_own(path))


def _is_own(path: Path) -> bool:
    if path.name not in FILES or path.is_symlink() or not path.is_file():
        return False
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.read(len(_MARK)) == _MARK
