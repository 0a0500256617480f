"""One host library a file; nothing else in the package imports that library."""
