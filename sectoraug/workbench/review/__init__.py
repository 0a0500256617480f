"""The in/out sorting of masks on a page of this machine, and the journal of its decisions.

Only this machine may look, and a decision is on disk before the page says so.
"""
