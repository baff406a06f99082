"""The checks of the preflight alone, for the config that a stack has now, whether it is deployed or not."""
