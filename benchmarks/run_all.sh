#!/usr/bin/env bash
# Makes every result again, on a clean commit and a machine with nothing else to do, and fills the docs' tables.
#     benchmarks/run_all.sh [NAME...]     # all, or those named: cpu cpu_avx2 batch step gradcam install pool sectors unseen
# Needs the extra [dev], and for the rows of others `pip install --no-deps ultraml`; half an hour on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python}
older=(ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 NPY_DISABLE_CPU_FEATURES="X86_V4 AVX512_ICL AVX512_SPR"
  OPENCV_CPU_DISABLE=AVX512-SKX OPENCV_IPP=avx2)

make_cpu() { "$python" benchmarks/bench_cpu.py --write cpu; }
make_cpu_avx2() { env "${older[@]}" "$python" benchmarks/bench_cpu.py --write cpu_avx2; }
make_batch() { "$python" benchmarks/bench_batch.py --write; }
make_step() { "$python" benchmarks/bench_step.py --write; }
make_gradcam() { "$python" benchmarks/bench_gradcam.py --write; }
make_pool() { "$python" benchmarks/bench_pool.py --write; }
make_sectors() { "$python" benchmarks/score_sectors.py --write; }
make_unseen() { "$python" benchmarks/score_unseen.py --write; }
make_remembered() { "$python" benchmarks/score_remembered.py --write; }
make_install() { # what a plain install weighs, so in an environment of its own
  local alone
  alone=$(mktemp -d)
  "$python" -m venv "$alone"
  "$alone/bin/pip" install -q .
  "$alone/bin/python" benchmarks/bench_install.py --write
  rm -rf "$alone"
}

for name in "${@:-cpu cpu_avx2 batch step gradcam install pool sectors unseen remembered}"; do
  for one in $name; do
    printf '\n=== %s (%d s)\n' "$one" "$SECONDS"
    "make_$one"
  done
done
"$python" benchmarks/fill_docs.py
"$python" benchmarks/plot_batch.py
