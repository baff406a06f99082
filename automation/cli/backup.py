"""The verbs `backup`, `backups`, `restore` and `drill`: make, list, restore and prove backups of the database."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from automation.cli.declare import COMMON, DONE, DRY_RUN, STACK, TIMEOUT, Argument, Call, argument, verb
from automation.cli.report_text import Table, stage_table
from automation.errors import BackupFailed

if TYPE_CHECKING:
    from automation.backup.result import BackupPlan, Drill, Restored, RestorePlan


def _time(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a time such as 2026-01-31T10:45Z, found {text!r}") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def choice(default: str, when: str = "") -> tuple[Argument, Argument]:
    """Declare the options that choose a backup. default: what is taken without them. when: what they need."""
    return (
        argument(
            "--from",
            dest="backup",
            metavar="BACKUP",
            help=f"{when}a snapshot or a dump that the verb backups lists; default: {default}",
        ),
        argument(
            "--at",
            type=_time,
            metavar="TIME",
            help=f"{when}restore a managed database exactly as it was at this time, any other from the newest backup "
            "before it. A time without a zone is UTC",
        ),
    )


_CHOSEN = (STACK, *COMMON, *choice("the newest"))


@verb(
    "make a snapshot of a managed database, or dump another one into the stack's volume or bucket for backups",
    STACK,
    *COMMON,
    argument("--dump", action="store_true", help="dump a managed database too; needs a place for dumps"),
    DRY_RUN,
)
def backup(call: Call) -> int:
    """Make a backup."""
    with call.opened() as environment:
        if call.args.dry_run:
            return _show_backup_plan(call, environment.backup_plan(dump=call.args.dump))
        result = environment.backup(dump=call.args.dump, on_event=call.console.event)
    call.show(result, f"{result.backup.name}: {_size(result.backup.bytes)} in {result.seconds:.0f} s")
    return call.exit_code(changed=True)


@verb("list a stack's backups, the moments that RDS keeps, and what restores have replaced", STACK, *COMMON)
def backups(call: Call) -> int:
    """List the backups."""
    with call.opened() as environment:
        result = environment.backups()
    rows = tuple((item.name, item.kind, item.taken, _size(item.bytes)) for item in result.backups)
    moments = result.moments
    call.show(
        result,
        *([Table(("backup", "kind", "taken", "size"), rows)] if rows else []),
        *([f"every moment from {moments.earliest} to {moments.latest}: restore --at TIME"] if moments else []),
        *(f"replaced: {name}" for name in result.old_databases),
    )
    return DONE


@verb(
    "restore a backup, and verify the stack; run it again to continue",
    *_CHOSEN,
    argument("--delete-old", action="store_true", help="restore nothing; delete what restores have replaced"),
    DRY_RUN,
    TIMEOUT,
)
def restore(call: Call) -> int:
    """Restore a backup. Raises BackupFailed where that is not possible."""
    from automation.backup.result import DeletedDatabases

    args = call.args
    if args.delete_old and (args.backup or args.at):
        raise BackupFailed(
            "--delete-old: expected neither --from nor --at, because it restores nothing, found one",
            f"python -m automation restore {args.stack} --delete-old",
        )
    check_choice(args)
    with call.opened() as environment:
        if args.delete_old and args.dry_run:
            found = environment.backups()
            there = [f"would delete: {name}" for name in found.old_databases] or ["there is nothing to delete"]
            call.show(DeletedDatabases(stack=found.stack, names=found.old_databases), *there)
            return call.exit_code(changed=bool(found.old_databases))
        if args.delete_old:
            deleted = environment.delete_old_databases(on_event=call.console.event)
            call.show(
                deleted,
                *(f"deleted: {name}" for name in deleted.names),
                *(f"kept: the snapshot {name}" for name in deleted.final_snapshots),
            )
            return call.exit_code(changed=bool(deleted.names))
        if args.dry_run:
            return show_plan(call, environment.restoration(args.backup, at=args.at))
        result = environment.restore(args.backup, at=args.at, timeout_seconds=args.timeout, on_event=call.console.event)
    return show_restored(call, result)


@verb(
    "restore a backup into a temporary database or instance, read all that is encrypted in it, and delete it",
    *_CHOSEN,
    DRY_RUN,
)
def drill(call: Call) -> int:
    """Prove a backup. Raises BackupFailed where the stack's keys do not read everything."""
    check_choice(call.args)
    with call.opened() as environment:
        if call.args.dry_run:
            plan = environment.drill_plan(call.args.backup, at=call.args.at)
            call.show(
                plan,
                f"would restore {plan.backup} into the temporary {plan.into}, read it, and delete that",
                f"RPO: {plan.rpo_seconds:.0f} s, the age of the backup",
            )
            return DONE
        result = environment.drill(call.args.backup, at=call.args.at, on_event=call.console.event)
    call.show(result, *_found(result))
    if not result.ok:
        others = result.unread_count - len(result.unread)
        more = f" and {others} more" if others else ""
        raise BackupFailed(
            f"{result.backup} holds what no key of the stack reads: {', '.join(result.unread)}{more}",
            "give the stack the earlier key too: docs/runbooks/restore-database.md#an-earlier-fernet-key",
        )
    return DONE


def _show_backup_plan(call: Call, plan: BackupPlan) -> int:
    what = f"dump the database into {plan.place}" if plan.kind == "dump" else f"make a snapshot of {plan.place}"
    newest = plan.newest
    call.show(
        plan,
        f"would {what}",
        f"the newest of this kind: {newest.name}, {_size(newest.bytes)}"
        if newest
        else "there is none of this kind yet",
    )
    return call.exit_code(changed=True)


def show_plan(call: Call, plan: RestorePlan) -> int:
    """Write what a restore would do, and return the exit code."""
    call.show(
        plan,
        *(["was begun before, and would be continued"] if plan.resumed else []),
        *([f"would deploy Airflow {plan.after}"] if plan.after else []),
        f"would restore {plan.backup}; the present database would stay as {plan.old_database}",
        stage_table(plan.stages, "stops or starts"),
    )
    return call.exit_code(changed=True)


def show_restored(call: Call, result: Restored) -> int:
    """Write what a restore has done, and return the exit code."""
    plan = result.plan
    call.show(
        result,
        *([f"{plan.stack} runs Airflow {plan.after}; commit what changed"] if plan.after else []),
        f"{plan.backup} is restored and verified ({result.seconds:.0f} s); the database before it is "
        f"{plan.old_database}, until you run: python -m automation restore {plan.stack} --delete-old",
    )
    return call.exit_code(changed=True)


def check_choice(args: argparse.Namespace) -> None:
    """Raise BackupFailed if a backup and a time are given."""
    if args.backup and args.at:
        restore = " --restore" if args.verb == "rollback" else ""
        raise BackupFailed(
            "--at: expected nothing beside --from, which names the backup already, found both",
            f"python -m automation {args.verb} {args.stack}{restore} --from {args.backup}",
        )


def _found(result: Drill) -> list[str]:
    schema = "that of the stack's image" if result.at_head else "older: a restore migrates it"
    return [
        f"{result.backup}: {result.runs} DAG runs, the newest from {result.newest_run or 'never'}",
        f"encrypted values that the stack's keys read: {result.encrypted} of {result.encrypted + result.unread_count}",
        *([f"not encrypted by any key: {', '.join(result.broken)}"] if result.broken else []),
        f"schema {', '.join(result.heads)}: {schema}",
        f"RPO: {result.rpo_seconds:.0f} s, the age of the backup",
        f"RTO: {result.rto_seconds:.0f} s, to restore the database and read it",
    ]


def _size(number: float) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if number < 1024:
            return f"{number:.0f} {unit}"
        number /= 1024
    return f"{number:.1f} GiB"
