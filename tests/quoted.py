"""The forms in which tools quote a text: what a secret may look like in an output."""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote, quote_plus

FORMS: Final[Mapping[str, Callable[[str], str]]] = {
    "as it is": str,
    "in JSON": lambda text: json.dumps({"key": text}),
    "in JSON in JSON": lambda text: json.dumps(json.dumps({"key": text})),
    "in a URI": lambda text: f"postgresql://airflow:{quote(text, safe='')}@host:5432/airflow",
    "in a form": lambda text: f"a=b&password={quote_plus(text)}",
    "in an ini file": lambda text: f"password = {quote(text, safe='').replace('%', '%%')}\n",
    "in HTML": lambda text: f"<td>{html.escape(text)}</td>",
    "in a shell": lambda text: f"echo {shlex.quote(text)} | cat",
    "in Python": lambda text: repr({"key": text}),
    "in base64": lambda text: base64.b64encode(text.encode()).decode(),
    "in base64 behind one byte": lambda text: base64.b64encode(f"x{text}y".encode()).decode(),
    "in base64 behind two bytes": lambda text: base64.urlsafe_b64encode(f"xx{text}yy".encode()).decode(),
    "in base64 of a URI": lambda text: base64.b64encode(f"redis://:{quote(text, safe='')}@h".encode()).decode(),
    "in base64 in base64": lambda text: base64.b64encode(base64.b64encode(text.encode())).decode(),
    "in hexadecimal": lambda text: text.encode().hex(),
    "in capital hexadecimal": lambda text: text.encode().hex().upper(),
    "in a URI with small escapes": lambda text: re.sub("%..", lambda found: found[0].lower(), quote(text, safe="")),
    "in a URI in a URI": lambda text: f"https://h/login?next={quote(quote(text, safe=''), safe='')}",
    "in HTML of Go": lambda text: html.escape(text).replace("&#x27;", "&#39;"),
    "in bytes of Python": lambda text: repr(text.encode()),
    "in JSON in JSON in JSON": lambda text: json.dumps(json.dumps(json.dumps({"key": text}))),
    "in JSON of several tools": lambda text: json.dumps(json.dumps(json.dumps(text, ensure_ascii=False)[1:-1])),
    "in hexadecimal with colons": lambda text: text.encode().hex(":"),
    "in capital hexadecimal with blanks": lambda text: text.encode().hex(" ").upper(),
    "in the lines of hexdump": lambda text: "\n".join(re.findall(".{1,48}", text.encode().hex(" "))),
    "in the groups of xxd": lambda text: " ".join(re.findall(".{1,4}", text.encode().hex())),
    "in a URI letter by letter": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "in JSON letter by letter": lambda text: "".join(f"\\u{ord(character):04X}" for character in text),
    "in bytes letter by letter": lambda text: "".join(f"\\x{byte:02x}" for byte in text.encode()),
    "in capitals": str.upper,
    "in small letters": str.lower,
    "in part": lambda text: f"it begins with {text[:-3]}…",
}
