"""Backs a managed database up by snapshots of RDS, restores one or a moment in stages, and proves that it can be."""
