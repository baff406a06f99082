"""Drives stacks of this project: engine, cluster, update, verification. Nothing here prints but the command line.

`python -m automation VERB [STACK]` is the command line; the modules are the library behind it.
"""
