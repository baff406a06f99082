"""Keeps dumps of a database in a bucket of S3, or of what speaks its API. A script of its own.

It runs in Airflow's image, as `python -c TEXT MODE ARGUMENT...`:

    store NAME DAYS   store what the container beside dumps; NAME "": of the present time; DAYS: delete dumps that are
                      older, but never the newest; 0: delete none
    fetch NAME        hand a dump to the container beside
    list              print size and name of each dump, the newest first

The container beside runs `backups.sh`. It makes two connections to this one, within the pod: for the dump, and for the
answer. A dump is read and written in parts, so neither memory nor disk limits its size. It counts only once its
SHA-256 digest is beside it, in an object of its own that is written last. `BACKUP_FOLDER` says where dumps are, and
`BACKUP_CONNECTION` which connection of Airflow leads there. Errors become the message by which the container ended.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO
from urllib.parse import urlsplit

PORT = 9900
END = b"airflow: here ends the whole dump"
"""The last bytes that a dump which succeeded sends. They are not stored."""
HEAD = b"PGDMP"
"""The first bytes of every dump of PostgreSQL's own format."""
PART = 64 * 1024 * 1024
"""S3 takes 10,000 parts, so 625 GiB."""
BESIDE_SECONDS = 600
"""For the container beside to begin: its image may have to be pulled."""
TRIES = 4
LISTED = 60
"""Lines that fit into a message, of which Kubernetes keeps 4096 bytes."""
MESSAGE = "/dev/termination-log"
NAME = "airflow-%Y%m%dT%H%M%SZ.dump"
FORM = r"airflow-\d{8}T\d{6}Z\.dump"
DIGEST = ".sha256"
OTHER_FAILED = 3
"""Exit code where the container beside has failed, whose words say why."""


class OtherContainerError(Exception):
    """The container beside ended before its work was done."""


class DumpError(Exception):
    """What the message says."""


class Dump:
    """What the container beside dumps, as a file that can only be read on."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream, self.held, self.whole = stream, bytearray(), False
        self.digest, self.size = hashlib.sha256(), 0

    def read(self, amount: int | None = None) -> bytes:
        """Return so many bytes, or fewer at the end; None: the rest, which boto3 asks for of a dump of one part.

        Raises OtherContainerError if the dump ends before its end.
        """
        while not self.whole and (amount is None or len(self.held) < amount + len(END)):
            try:
                found = self.stream.read(1024 * 1024)
            except OSError as error:
                raise OtherContainerError from error
            self.held += found
            if not found:
                if not self.held.endswith(END):
                    raise OtherContainerError
                self.whole = True
                del self.held[-len(END) :]
        part = bytes(self.held[:amount])
        del self.held[: len(part)]
        if not self.size and not part.startswith(HEAD):
            raise DumpError("expected a dump of PostgreSQL's own format, found something else")
        self.digest.update(part)
        self.size += len(part)
        return part


class Folder:
    """The folder of dumps."""

    def __init__(self) -> None:
        from airflow.providers.amazon.aws.hooks.s3 import S3Hook

        address = urlsplit(os.environ["BACKUP_FOLDER"])
        self.bucket, self.prefix = address.netloc, f"{address.path.strip('/')}/"
        self.client: Any = S3Hook(aws_conn_id=os.environ["BACKUP_CONNECTION"]).get_conn()

    def at(self, name: str) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": f"{self.prefix}{name}"}

    def sizes(self) -> dict[str, int]:
        """Return the size in bytes of every object, by its name in the folder."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix)
        objects = (item for page in pages for item in page.get("Contents", ()))
        return {item["Key"][len(self.prefix) :]: item["Size"] for item in objects}

    def store(self, stream: BinaryIO, name: str) -> int:
        """Store a dump, then its digest, and return its size. What was begun is given up if anything fails."""
        from boto3.s3.transfer import TransferConfig

        dump = Dump(stream)
        # Without threads, because each would hold a part in memory.
        transfer = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART, use_threads=False)
        self.client.upload_fileobj(dump, **self.at(name), Config=transfer)
        self.client.put_object(**self.at(name + DIGEST), Body=f"{dump.digest.hexdigest()} {dump.size}\n".encode())
        return dump.size

    def fetch(self, name: str, send: Callable[[bytes], object]) -> None:
        """Send a dump. A request for each part, because a connection that waits for the database may be closed."""
        if name not in dumps(self.sizes()):
            raise DumpError(f"there is no backup {name}")
        digest, size = self.client.get_object(**self.at(name + DIGEST))["Body"].read().decode().split()
        seen = hashlib.sha256()
        for first in range(0, int(size), PART):
            part = self.part(name, first, min(first + PART, int(size)) - 1)
            seen.update(part)
            send(part)
        if seen.hexdigest() != digest:
            raise DumpError(f"{name} is not as it was stored: expected the digest {digest}, found {seen.hexdigest()}")

    def part(self, name: str, first: int, last: int) -> bytes:
        for left in reversed(range(TRIES)):
            try:
                found = self.client.get_object(**self.at(name), Range=f"bytes={first}-{last}")["Body"].read()
            except Exception:
                if not left:
                    raise
                continue
            if len(found) == last - first + 1:
                return bytes(found)
        raise DumpError(f"{name}: expected {last - first + 1} bytes from byte {first} on, found {len(found)}")

    def forget(self, days: int) -> None:
        """Delete dumps that are too old, and those without a digest that a killed pod left."""
        found, now = self.sizes(), datetime.now(UTC)
        whole = dumps(found)
        old = [name for name in whole[1:] if now - taken(name) > timedelta(days=days)]
        torn = [name for name in found if re.fullmatch(FORM, name) and name not in whole]
        for name in (*old, *(name for name in torn if now - taken(name) > timedelta(days=1))):
            self.client.delete_object(**self.at(name + DIGEST))  # first: from here on it is no backup
            self.client.delete_object(**self.at(name))


def dumps(sizes: dict[str, int]) -> list[str]:
    """Return the names of the dumps that are whole, the newest first."""
    return sorted((name for name in sizes if re.fullmatch(FORM, name) and name + DIGEST in sizes), reverse=True)


def taken(name: str) -> datetime:
    return datetime.strptime(name, NAME).replace(tzinfo=UTC)


@contextmanager
def beside() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Yield the connections of the container beside: for the dump, and for the answer.

    They come before all else. If this container fails, its end closes them, and the other one ends too.
    """
    with socket.create_server(("127.0.0.1", PORT)) as server:
        server.settimeout(BESIDE_SECONDS)
        try:
            data, answer = server.accept()[0], server.accept()[0]
        except TimeoutError:
            raise OtherContainerError from None
    with data, answer:
        yield data, answer


def store(name: str, days: str) -> None:
    with beside() as (data, answer), data.makefile("rb") as stream:
        name, folder = name or datetime.now(UTC).strftime(NAME), Folder()
        size = folder.store(stream, name)
        answer.sendall(f"{size} {name}\n".encode())
    if int(days):
        folder.forget(int(days))


def fetch(name: str) -> None:
    with beside() as (data, answer):

        def send(part: bytes) -> None:
            try:
                data.sendall(part)
            except OSError:
                raise OtherContainerError from None

        Folder().fetch(name, send)
        data.shutdown(socket.SHUT_WR)
        answer.sendall(b"whole\n")


def listed() -> None:
    sizes = Folder().sizes()
    say("\n".join(f"{sizes[name]} {name}" for name in dumps(sizes)[:LISTED]))


def say(text: str) -> None:
    with open(MESSAGE, "w", encoding="utf-8") as file:
        file.write(text[:4000])


if __name__ == "__main__":
    try:
        works: dict[str, Callable[..., None]] = {"store": store, "fetch": fetch, "list": listed}
        works[sys.argv[1]](*sys.argv[2:])
    except OtherContainerError:
        sys.exit(OTHER_FAILED)
    except DumpError as error:
        say(str(error))
        sys.exit(1)
    except Exception as error:
        say(f"{type(error).__name__}: {error}")
        raise
