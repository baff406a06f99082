"""What the program costs against doing without it. `python -m benchmarks [NAME …]` measures and writes README.md."""
