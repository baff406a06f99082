"""Takes over a release that Helm or Helmsman installed: its database and its keys stay as they are."""
