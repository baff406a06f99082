"""Upgrades a stack to another Airflow, and rolls it back: the trial of the image, the stages, and how each is done."""
