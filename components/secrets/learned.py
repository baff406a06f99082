"""What is known of a secret: how it may be written, of which every piece is hidden or only the whole."""

from __future__ import annotations

import base64
import functools
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass
from typing import Final

from components.secrets.encodings import base64_forms, forms, secret_parts, ssh_public_half

PIECE: Final = 12
"""Length of the pieces of a secret that are hidden wherever they stand. Shorter ones would hide common words."""
SHORTEST: Final = 6
"""A known secret of fewer characters is hidden only where it is marked as one: it could be any word.

Half of a piece at most: each piece of a text then holds one of the parts of this length into which the text is cut.
"""
_REMEMBERED: Final = 64
"""Secrets that are not learned again: those of one stack, with its generated ones."""

# Every SSH private key begins with one of these, and so does its public half, which stands in known_hosts.
_PUBLIC: Final = (
    b"openssh-key-v1\0\0\0\0\x04none\0\0\0\0\x04none\0\0\0\0\0\0\0\x01\0\0\0",
    b"\0\0\0\x0bssh-ed25519\0\0\0 ",
    b"\0\0\0\x07ssh-rsa\0\0\0\x03\x01\0\x01\0\0",
    *(
        f"\0\0\0\x13ecdsa-sha2-{curve}\0\0\0\x08{curve}\0\0\0".encode()
        for curve in ("nistp256", "nistp384", "nistp521")
    ),
)


@dataclass(frozen=True, kw_only=True)
class Learned:
    """What is hidden of one secret."""

    texts: frozenset[str] = frozenset()
    """Every piece of these is hidden."""
    wholes: frozenset[str] = frozenset()
    """These are hidden as a whole."""
    public: frozenset[str] = frozenset()
    """Pieces that everybody may see."""

    @functools.cached_property
    def marks(self) -> frozenset[str]:
        """A text without one of these holds nothing of the secret."""
        cut = {text[at : at + SHORTEST] for text in self.texts for at in range(0, len(text) - SHORTEST + 1, SHORTEST)}
        return frozenset(cut.union(whole[:SHORTEST] for whole in self.wholes))

    @functools.cached_property
    def pieces(self) -> frozenset[str]:
        """The pieces that are hidden. They are many times as many as the marks, and few texts hold one."""
        return frozenset(piece for text in self.texts for piece in pieces(text)) - self.public

    def hides(self, text: str) -> bool:
        """Tell whether the pieces hide all of a text."""
        if text in self.texts:
            public = self.public and _cuts(self.public)
            cut = (text[at : at + SHORTEST] for at in range(0, len(text) - SHORTEST + 1, SHORTEST))
            return not public or public.isdisjoint(cut) or self.public.isdisjoint(pieces(text))
        return not self.marks.isdisjoint(cuts(text[:PIECE])) and self.pieces.issuperset(pieces(text))


@functools.lru_cache(maxsize=_REMEMBERED)
def learned(secret: str) -> Learned:
    """Return what is hidden of a secret: it, its lines and its parts, and their pieces, in the usual encodings too.

    Remembered, because each verb of a service masks the same secrets, and an SSH key takes milliseconds.
    """
    texts: set[str] = set()
    wholes: set[str] = set()
    for part in secret_parts(secret):
        if len(part) >= SHORTEST:
            (texts if len(part) >= PIECE else wholes).update(forms(part, SHORTEST))
    # A person registers it at the Git host. The file of the private key holds its characters, too.
    public = _public_pieces().union(pieces(base64.b64encode(ssh_public_half(secret)).decode()))
    found = Learned(texts=frozenset(texts), public=public)
    for line in {secret, secret.strip(), *map(str.strip, secret.splitlines())}:
        if len(line) >= SHORTEST:
            # A line may have pieces that are public.
            wholes |= shown_forms(line, found.hides)
    return Learned(texts=found.texts, wholes=frozenset(wholes), public=public)


def shown_forms(text: str, hides: Callable[[str], bool]) -> Set[str]:
    """Return the forms of a text that no pieces hide. hides: tells whether they do."""
    return {form for form in forms(text, SHORTEST) if len(form) < PIECE or not hides(form)}


def pieces(text: str) -> Iterator[str]:
    """Return all pieces of a text."""
    return (text[at : at + PIECE] for at in range(len(text) - PIECE + 1))


def cuts(text: str) -> Iterator[str]:
    """Return what may be a mark in a text."""
    return (text[at : at + SHORTEST] for at in range(len(text) - SHORTEST + 1))


@functools.cache
def _public_pieces() -> frozenset[str]:
    return frozenset(piece for public in _PUBLIC for form in base64_forms(public) for piece in pieces(form))


@functools.lru_cache(maxsize=16)
def _cuts(public: frozenset[str]) -> frozenset[str]:
    return frozenset(cut for piece in public for cut in cuts(piece))
