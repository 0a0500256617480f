"""An archive and a weekend: the command `sectoraug`, whose jobs run over many files.

It needs the extra `workbench`; nothing else in the package imports it.
"""

from sectoraug.workbench.jobs.kept import kept_masks as kept_masks
