"""The command line: what each verb does, and what it prints."""
