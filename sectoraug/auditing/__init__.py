"""Does the data give the label away, and does the model take it? The report that says so in words.

`sectoraug.audit` is this room's one entrance; needs the extra `audit`.
"""
