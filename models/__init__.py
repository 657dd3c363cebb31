"""The algorithms, one a file, and the list of them in `catalogue.py`. Models see arrays, never stores."""
