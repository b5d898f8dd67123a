"""What is measured, one module per source: each fills its own fields of the Sample (api/sample.py)."""
