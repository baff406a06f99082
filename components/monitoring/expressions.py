"""The values that fill the expressions of alerts and panels. Pure.

In a text, `$at` is the selector of the stack's namespace, `$ns` the namespace, `$zero` a 0 while statsd is scraped,
`$window` the time that an alert looks back, `$zero_then` a 0 if statsd was scraped that long ago, and `$fetch` the
seconds in which DAGs must have been fetched; `$parse`, `$verify` and `$backup` say the same of the parsing of a file,
of a verification and of a backup.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import Template


@dataclass(frozen=True, kw_only=True)
class Watched:
    """The parts of a stack on which expressions depend."""

    namespace: str
    """Namespace of the stack; one Prometheus may scrape several stacks."""
    parts: frozenset[str]
    """Which optional parts are there: `git-sync`, `git-bundle`, `pgbouncer`, `certificates`, `verification`,
    `backups`, `keda`."""
    sync_period_seconds: int
    """How often DAGs are fetched, in seconds."""
    parse_interval_seconds: int = 30
    """After how many seconds Airflow parses a file again; its own default (`min_file_process_interval`)."""
    verified_seconds: int = 0
    """Seconds within which a scheduled verification must succeed; 0 without one."""
    backup_seconds: int = 0
    """Seconds within which a backup must succeed; 0 without a schedule."""

    @property
    def fetch_seconds(self) -> int:
        """Seconds within which DAGs must be fetched once."""
        return max(600, 5 * self.sync_period_seconds)

    @property
    def parse_seconds(self) -> int:
        """Seconds within which a file must be parsed once."""
        return max(600, 3 * self.parse_interval_seconds)

    def has(self, needs: str) -> bool:
        """Return whether a part is there; "" always is."""
        return not needs or needs in self.parts

    def filled(self, expression: str, window_seconds: int = 0) -> str:
        """Return an expression for this stack. Raises KeyError for an unknown name in it."""
        at, window = f'namespace="{self.namespace}"', f"{window_seconds}s"
        scraped = f"statsd_exporter_build_info{{{at}}}"
        return Template(expression).substitute(
            at=at,
            ns=self.namespace,
            zero=f"0 * max by (namespace) ({scraped})",
            zero_then=f"0 * max by (namespace) ({scraped} offset {window})",
            window=window,
            fetch=str(self.fetch_seconds),
            parse=str(self.parse_seconds),
            verify=str(self.verified_seconds),
            backup=str(self.backup_seconds),
        )
