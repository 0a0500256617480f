"""Did it work: where the network looks, what its features know, and whether runs differ.

Each file stands for itself and needs only its own libraries, so nothing is handed on here; the names are
`sectoraug`'s.
"""
