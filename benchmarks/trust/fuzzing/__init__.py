"""Cases of all kinds for benchmarks/trust/fuzz.py and bombs.py, and the confinement that they run in."""

import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[3] / "tests"
if str(TESTS) not in sys.path:  # makers of small files, and the rule for sentences, are the tests'
    sys.path.append(str(TESTS))
