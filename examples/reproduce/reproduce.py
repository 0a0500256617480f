"""Rerun the comparison of the BackMix paper on a phantom or on your own data.

    python examples/reproduce/reproduce.py                    # small setting, Tables 1 and 2
    python examples/reproduce/reproduce.py --setting paper    # at the paper's sizes, for a GPU
    torchrun --nproc-per-node N examples/reproduce/reproduce.py --setting paper  # each run on N GPUs
    python examples/reproduce/reproduce.py --setting paper --shard 0/4           # or a quarter of the runs
    python examples/reproduce/reproduce.py --data tmed2 --root TMED2 --sectors SECTORS --setting paper
    python examples/reproduce/reproduce.py --data phantom-outline --tables outline   # past the paper
    python examples/reproduce/reproduce.py --fractions 0.2 0.05 --lams 0 1 2         # a sweep

Stop it at any time: the same command goes on after the last finished epoch. It writes runs/*.json (one a
run), tables.md, maps-id.png and maps-ood.png into --out. docs/how-to/reproduce.md says more.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

if __name__ == "__main__":  # workers that make clips import this file, and nothing that they do not need
    os.umask(0o077)  # the images and maps show what was burned in
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    sys.path.insert(0, str(Path(__file__).parent.parent))  # the parts that train_resnet18.py uses, too

    from comparison import main

    main(__doc__)
