"""What `verify` checks of a deployment, one subject a module."""
