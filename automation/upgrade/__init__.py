"""Upgrade to another Airflow, and rollback: what is tried, which stages there are, and how each is done."""
