"""The cluster of a stack: what it says about pods, objects and Airflow, and the local cluster that `dev` makes."""
