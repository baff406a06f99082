"""What a change does to each stack, for reviewers: Markdown for a pull request, and JSON.

Two plans are compared (`compare`), or the engine's preview is read (`engine_steps`): the same report (`model`).
"""
