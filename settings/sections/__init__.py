"""Reads the parts of a stack's config, one a module: what a value must be, and what fits together."""
