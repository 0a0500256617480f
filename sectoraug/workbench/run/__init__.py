"""Work over many files: which there are, who does them, and what became of each.

A run can be killed at any time, and the same call goes on; what is done to one file is a job's affair.
"""
