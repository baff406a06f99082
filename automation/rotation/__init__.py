"""Rotates the keys of a stack: which stages there are, which is next, and how each is done and proved."""
