#!/usr/bin/env bash
# The seed's experiment in one command: sample, label, train, rank; the table beside the seed's.
#
#   scripts/bench_critic_gpu.sh [STATE_DIR]
#
# On a card of 24 GB or more: Qwen2.5-Coder-1.5B-Instruct through vLLM, sanitized MBPP, protocol
# seed (all tests in the prompt, none run at choice time), 50 samples of each of 163 problems to
# learn from and of each of 257 to test, LoRA in bf16. Run again it goes on where it was cut.
# Smaller, elsewhere: MODEL, BACKEND, SAMPLES, TUNING and MAX_TEST change what their names say.
set -euo pipefail

here=$(cd "$(dirname "$0")/.." && pwd)
state=${1:-state-seed}
model=${MODEL:-qwen2.5-coder-1.5b-instruct}
backend=${BACKEND:-vllm}
samples=${SAMPLES:-50}
tuning=${TUNING:-auto}
max_test=${MAX_TEST:-0}
kent="$here/.venv/bin/kent"

[ -x "$kent" ] || { echo "no $kent: run make setup first" >&2; exit 2; }
if [ "$backend" = vllm ] && ! command -v nvidia-smi > /dev/null; then
  echo "no card here (nvidia-smi is missing): set BACKEND=openvino or llama.cpp for a CPU" >&2
  exit 2
fi

mkdir -p "$state"
cat > "$state/bench.toml" << END
profile = "gpu"
state_dir = "."
weights_dir = "$here/weights"
[generator]
backend = "$backend"
model = "$model"
[tasks]
train = "mbpp-sanitized"
also = []
max_test = $max_test
[critic]
protocol = "seed"
tuning = "$tuning"
samples_per_problem = $samples
eval_samples_per_problem = $samples
sampling = "uniform"
END

run() { "$kent" --config "$state/bench.toml" "$@"; }
run model pull "$model"
run round critic
run benchmark critic --protocol seed --json > "$state/benchmark.json"

"$here/.venv/bin/python" - "$state/benchmark.json" << 'END'
import json
import sys

(result,) = json.load(open(sys.argv[1]))["results"]
pickers, gap = result["pickers"], result["gap_closed"]


def shown(figure):
    if figure["value"] is None:
        return "-"
    low, high = (100 * figure[name] for name in ("low", "high"))
    return f"{100 * figure['value']:.2f} ({low:.1f} to {high:.1f})"


rows = [
    ("baseline pass@1, %", "60.94", shown(pickers["random"])),
    ("critic's choice, %", "66.93", shown(pickers["critic"])),
    ("oracle pass@N, %", "90.27", shown(pickers["oracle"])),
    ("gap closed by the critic, %", "20.4 (+-3.6 points)", shown(gap["critic"])),
    ("gap closed, critic + agreement, %", "-", shown(gap["critic_agreement"])),
    ("pass/fail accuracy, split by sample, %", "88.83", shown(result["val_accuracy_by_sample"])),
    ("pass/fail accuracy, split by problem, %", "-", shown(result["val_accuracy_by_problem"])),
]
print(f"{'':42}{'seed':>22}{'here':>26}")
for name, seed, here in rows:
    print(f"{name:42}{seed:>22}{here:>26}")
print(f"{result['n_problems']} problems, {result['n_samples']} samples of {result['generator']}")
END
