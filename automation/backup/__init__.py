"""Backs a stack's database up, restores it, and proves that a backup can be restored."""
