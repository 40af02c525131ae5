"""Pictures as SVG text made by pure functions: the same picture on the page, in print and in tests."""
