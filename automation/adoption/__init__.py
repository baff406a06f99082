"""Takes over a release that Helm or Helmsman installed, and keeps its database and its keys."""
