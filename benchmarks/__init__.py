"""Measure what the program costs against doing without it: `python -m benchmarks [NAME …]` writes README.md."""
