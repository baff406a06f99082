"""A stack's release as files for Helmsman, for teams who stay on it."""
