"""The swap for whole batches of tensors: one op, on a CPU by torch, on a GPU by one Triton kernel.

It takes donors as tensors and knows nothing of where they or the sectors come from.
"""

from sectoraug.batch.op import swap_background_batch as swap_background_batch
