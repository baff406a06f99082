"""What a change would do to each stack, for reviewers: Markdown for a pull request, and JSON.

Two plans are compared, or the engine's preview is read; both give the same report.
"""
