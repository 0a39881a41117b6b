#!/usr/bin/env bash
# The CTM of full size in one command: data, the curriculum, the comparison, the report.
#
#   scripts/ctm_gpu.sh [--dry-run] [STATE_DIR]
#
# On a card: preset spec (15 M weights), the gpu curriculum's four stages (5.0 M sample passes, 16 to
# 64 ticks), a data set of a million samples from this Python's packages. Rounds go on until the
# last stage was gone through; then CTM, TRM, encoder and bare backbone are trained from scratch for
# BENCH_SECONDS each, twice. Run again it goes on where it was cut. --dry-run prints the commands
# and the settings and checks them, and runs nothing.
# Smaller, elsewhere: PROFILE, SAMPLES, SHARE (of the curriculum), ROUND_SECONDS, BENCH_SECONDS,
# EVAL and MOST_ROUNDS change what their names say; DATA names a data set that is there.
set -euo pipefail

here=$(cd "$(dirname "$0")/.." && pwd)
dry=
[ "${1:-}" = --dry-run ] && { dry=1; shift; }
state=${1:-state-ctm}
profile=${PROFILE:-gpu}
samples=${SAMPLES:-1000000}
share=${SHARE:-1.0}
round_seconds=${ROUND_SECONDS:-3600}
bench_seconds=${BENCH_SECONDS:-1800}
evaluated=${EVAL:-5000}
most_rounds=${MOST_ROUNDS:-48}
data=${DATA:-}
kent=${KENT:-"$here/.venv/bin/kent"}
python=${PYTHON:-"$here/.venv/bin/python"}

[ -x "$kent" ] || { echo "no $kent: run make setup first" >&2; exit 2; }
if [ -z "$dry" ] && [ "$profile" = gpu ] && ! command -v nvidia-smi > /dev/null; then
  echo "no card here (nvidia-smi is missing): set PROFILE=cpu for the small model" >&2
  exit 2
fi

mkdir -p "$state"
config="$state/ctm.toml"
cat > "$config" << END
profile = "$profile"
state_dir = "."
[stages]
enabled = ["ctm"]
[ctm]
data = "$data"
data_samples = $samples
curriculum_share = $share
seconds = $round_seconds
eval_samples = $evaluated
END

run() {
  echo "+ kent --config $config $*" >&2
  [ -n "$dry" ] || "$kent" --config "$config" "$@"
}

# 0 once the newest checkpoint is of a run that went through the last stage.
finished() {
  "$python" - "$state/ctm/work" << 'END'
import sys
from pathlib import Path

from trainers.ctm.checkpoint import checkpoints, read_state

found = checkpoints(Path(sys.argv[1]))
sys.exit(0 if found and read_state(found[-1])[0].passes > 0 else 1)
END
}

cat "$config"
"$python" - "$config" << 'END'
import sys
from pathlib import Path

from kent.config import load_config
from kent.errors import KentError

try:
    load_config(Path(sys.argv[1]))
except KentError as error:
    sys.exit(f"the settings are wrong: {error}")
END
rounds=0
until finished || [ "$rounds" -ge "$most_rounds" ]; do
  run round ctm
  rounds=$((rounds + 1))
  [ -z "$dry" ] || break
done
run benchmark ctm --seconds "$bench_seconds" --plots "$state/plots" --json > "$state/benchmark.json"
run report --html "$state/report.html"
run report --json > "$state/report.json"
[ -z "$dry" ] || { rm -f "$state/benchmark.json" "$state/report.json"; exit 0; }

"$python" - "$state/report.json" "$state/benchmark.json" << 'END'
import json
import sys

report, benchmark = (json.load(open(name)) for name in sys.argv[1:])
stages = [row["stages"]["ctm"] for row in report["rounds"] if "ctm" in row["stages"]]
trained = [one for one in stages if one["fix_accuracy"]["value"] is not None][-1]
of_types = {name: f"fix_accuracy.{name}" for name in ("syntax", "simple_logic", "security")}


def shown(figure):
    if not figure or figure["value"] is None:
        return "-"
    low, high = (f"{100 * figure[name]:.1f}" if figure[name] is not None else "-"
                 for name in ("low", "high"))
    return f"{100 * figure['value']:.1f} ({low} to {high}), n {figure['n']}"


rows = [
    ("bugs repaired, %", "> 76", trained.get("fix_accuracy")),
    ("  syntax, %", "> 93", trained.get(of_types["syntax"])),
    ("  simple logic, %", "> 72", trained.get(of_types["simple_logic"])),
    ("  all logic, %", "> 65", trained.get("fix_accuracy.all_logic")),
    ("  security, %", "> 78", trained.get(of_types["security"])),
    ("sound code left alone, %", ">= 90", trained.get("clean_kept")),
    ("place found first, %", ">= 80", trained.get("localisation_acc1")),
    ("calibration error, %", "<= 5", trained.get("ece")),
    ("AUROC, %", ">= 90", trained.get("auroc")),
    ("best tick less the first, points", ">= 4", trained.get("tick_gain")),
    ("ticks spent with early stop, %", "<= 60", trained.get("ticks_spent")),
    ("early stop less all ticks, points", ">= -1", trained.get("fix_accuracy_early_difference")),
]
print(f"{'trained through the curriculum, packages never seen':52}{'target':>8}  here")
for name, target, figure in rows:
    print(f"{name:52}{target:>8}  {shown(figure)}")
for budget, others in benchmark["differences"].items():
    for kind, parts in others.items():
        figure = parts["bugs"]["fix_accuracy"]
        name = f"ctm less {kind}, {budget.replace('_', ' ')}, points"
        print(f"{name:52}{'> 0':>8}  {shown(figure)}")
END
echo "the report is $state/report.html, the plots are in $state/plots"
