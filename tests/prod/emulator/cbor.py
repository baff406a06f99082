"""CBOR, as far as AWS speaks it (RFC 8949): botocore's reader, and a writer of plain values."""

from __future__ import annotations

import io
import struct
from typing import Any

from botocore.parsers import RpcV2CBORParser


def loads(content: bytes) -> Any:
    """Return the value that the bytes encode."""
    return RpcV2CBORParser().parse_data_item(io.BufferedReader(io.BytesIO(content)))


def dumps(value: Any) -> bytes:
    """Return the encoding of a value of None, bool, int, float, str, list and dict. Raises TypeError for others."""
    if value is None:
        return b"\xf6"
    if isinstance(value, bool):
        return b"\xf5" if value else b"\xf4"
    if isinstance(value, int):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, float):
        return b"\xfb" + struct.pack(">d", value)
    if isinstance(value, str):
        content = value.encode()
        return _head(3, len(content)) + content
    if isinstance(value, list):
        return _head(4, len(value)) + b"".join(map(dumps, value))
    if isinstance(value, dict):
        return _head(5, len(value)) + b"".join(dumps(key) + dumps(item) for key, item in value.items())
    raise TypeError(f"expected a plain value, found {type(value).__name__}")


def _head(major: int, number: int) -> bytes:
    if number < 24:
        return bytes([major << 5 | number])
    for info, (size, letter) in enumerate(((1, "B"), (2, "H"), (4, "I"), (8, "Q")), start=24):
        if number < 1 << 8 * size:
            return bytes([major << 5 | info]) + struct.pack(f">{letter}", number)
    raise TypeError(f"expected at most 64 bits, found {number}")
