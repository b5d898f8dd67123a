"""What is measured, one module a source: each fills its own fields of the Sample (api/sample.py)."""
