"""The Pulumi engine: how it is found and run, and what it says."""
