"""Stacks for a limited time: made like another stack, with a time to live, and removed when it has passed."""
