"""`install_engine.py [STACK]`: install exactly the pinned engine and a stack's plugins, and put the engine on PATH.

Without a stack, the plugins are those that any stack may need. A plugin that plugins.sha256 does not pin is refused;
with --unverified, which is for jobs without credentials, it is installed.

It runs before a job gets credentials: what it downloads and runs then finds none, and later steps download no engine or
plugin. Any other `pulumi` of the runner comes after this one on PATH.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from pulumi.automation import CommandError

ROOT: Final = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import versions  # noqa: E402 - not found before the line above
from automation.engine.command import install_engine  # noqa: E402
from automation.engine.installation import InstallationError  # noqa: E402
from automation.engine.plugins import AWS, ENVIRONMENT, PLUGINS, install_plugins, plugins_of  # noqa: E402
from automation.errors import EngineMissing  # noqa: E402
from settings import SettingsError  # noqa: E402
from settings.files import examine_files  # noqa: E402


def main(arguments: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stack", nargs="?")
    parser.add_argument("--unverified", action="store_true", help="install a plugin that is not pinned too")
    args = parser.parse_args(arguments)
    try:
        engine = install_engine(root, print)
        if str(engine.version) != versions.PULUMI_CLI:
            print(f"error: expected Pulumi {versions.PULUMI_CLI}, found {engine.version}", file=sys.stderr)
            return 1
        # What is wrong in a stack's config, the preview says.
        names = plugins_of(examine_files(root, args.stack)[0]) if args.stack else (*PLUGINS, AWS)
        install_plugins(
            lambda words: engine.run(words, str(root), ENVIRONMENT),
            names,
            print,
            unverified=args.unverified,
            root=root,
            environ=environ,
        )
    except (EngineMissing, InstallationError, CommandError, SettingsError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    with Path(environ["GITHUB_PATH"]).open("a", encoding="utf-8") as path:
        path.write(f"{Path(engine.command).parent}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
