"""Measure previews of many stacks in one process, and `automation.preview` against plain `pulumi preview`."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

from automation import Environment, Environments, EnvironmentSettings, Passphrase, Secret
from automation.engine.plugins import ENVIRONMENT
from benchmarks.plain_stack import ROOT, SHIPPED, pulumi
from benchmarks.results import Ratio, Results, Series
from benchmarks.stacks import need_cluster
from benchmarks.stopwatch import peak_memory, resident_bytes, seconds
from components.kube.safe_yaml import load_yaml
from components.release.chart_archive import chart_archive

AIM: Final = 1.05
AIM_OF_MANY: Final = 0.6
COUNTS: Final = (1, 5, 20)
AT_ONCE: Final = 2 * (os.cpu_count() or 1)
"""An engine waits for much of its time, so one for each core leaves the cores idle."""
_MIB: Final = 2**20


def measure(runs: int) -> Results:
    """Preview stacks like `dev` that are not deployed. The first preview of each is not counted."""
    need_cluster()
    found: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        found.setdefault(name, []).append(value)

    with tempfile.TemporaryDirectory() as folder:
        stacks = stacks_like_dev(Path(folder), max(COUNTS))
        _previews(stacks)
        plain = _plain(stacks[0])
        for _ in range(runs):
            note(_PLAIN, seconds(plain))
            note(_LIBRARY, seconds(stacks[0].preview))
        for _ in range(runs):
            for count in COUNTS:
                whole, peak = _timed(stacks[:count])
                note(_time(count), whole / count)
                if peak is not None:
                    note(_memory(count), peak)
                    note(_own(count), resident_bytes(os.getpid()) / _MIB)
    return results(found)


_PLAIN: Final = "plain `pulumi preview`"
_LIBRARY: Final = "`automation.preview`"


def _time(count: int) -> str:
    return f"previews of {count}, time per stack"


def _memory(count: int) -> str:
    return f"previews of {count}, peak memory of all engines"


def _own(count: int) -> str:
    return f"previews of {count}, memory of the library's own process after them"


def results(found: Mapping[str, Sequence[float]]) -> Results:
    """Return the results of the measurements by name; without memory where it was not sampled."""
    series = {
        name: Series(name=name, unit="MiB" if "memory" in name else "s", values=tuple(values))
        for name, values in found.items()
    }
    ratios = [Ratio(name="`automation.preview` to plain", of=series[_LIBRARY], to=series[_PLAIN], aim=AIM)]
    for name, of, aim in (
        ("time per stack", _time, AIM_OF_MANY),
        ("peak memory of all engines", _memory, None),
        ("memory of the library's own process", _own, None),
    ):
        for count in COUNTS[1:]:
            if of(count) in series:
                wanted = aim if count == max(COUNTS) else None
                ratios.append(Ratio(name=f"{name}, {count} to 1", of=series[of(count)], to=series[of(1)], aim=wanted))
    return Results(series=tuple(series.values()), ratios=tuple(ratios))


def stacks_like_dev(folder: Path, count: int) -> list[Environment]:
    """Return stacks with the config of `dev`, whose states and work directories are in a folder."""
    environments = Environments(
        ROOT,
        backend=(folder / "state").as_uri(),
        secrets_provider=Passphrase(Secret("only for this benchmark")),
        work_dir=folder / "work",
    )
    committed = load_yaml((SHIPPED / "Pulumi.dev.yaml").read_text())["config"]
    values = {key.removeprefix("airflow:"): value for key, value in committed.items() if key.startswith("airflow:")}
    values |= {
        "adminPassword": Secret(values["adminPassword"]),
        "chartPath": str(ROOT / chart_archive("", ROOT)),
        "releaseTimeoutSeconds": 600,
    }

    def stack(number: int) -> Environment:
        name = f"s{number}"
        own = {**values, "namespace": f"airflow-bench-previews-{number}"}
        return environments.open(name, EnvironmentSettings.of(name, own))

    return list(map(stack, range(count)))


def _previews(stacks: Sequence[Environment]) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in pool.map(lambda stack: stack.preview(), stacks):
            pass


def _timed(stacks: Sequence[Environment]) -> tuple[float, float | None]:
    """Return the wall time of the stacks' previews, and the peak memory of all engines."""
    times: list[float] = []

    def previews() -> None:
        times.append(seconds(partial(_previews, stacks)))

    peak = peak_memory(previews)
    return times[0], peak


def _plain(stack: Environment) -> Callable[[], object]:
    """Return the plain command, with the same variables."""
    variables = {**os.environ, **ENVIRONMENT, "PULUMI_SKIP_UPDATE_CHECK": "true", **stack.session.engine_variables()}
    command = [str(pulumi()), "preview", "--stack", stack.name, "--non-interactive"]
    return partial(subprocess.run, command, cwd=stack.work_dir, env=variables, capture_output=True, check=True)
