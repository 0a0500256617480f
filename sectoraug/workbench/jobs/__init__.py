"""What is done to one file: its mask, its masked copy, its backgrounds for a pool.

A job is a small value that a worker process can be sent; it returns a manifest's entry or raises a sentence.
"""
