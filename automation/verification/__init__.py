"""What verification checks, one thing a module."""
