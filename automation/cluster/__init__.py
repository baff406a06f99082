"""The Kubernetes cluster of a stack: its clients, and the one that `dev` makes."""
