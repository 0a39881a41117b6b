#!/usr/bin/env python3
"""One rented GPU box: launch, wait, setup-ssh, sync, run, logs, terminate, list (kent/remote/).

export LAMBDA_API_KEY=...
scripts/gpu_box.py launch --type gpu_1x_a10 --ssh-key NAME --identity ~/.ssh/id --max-hours 3
scripts/gpu_box.py wait && scripts/gpu_box.py setup-ssh && scripts/gpu_box.py sync
scripts/gpu_box.py run make run
scripts/gpu_box.py sync --pull state --target from-the-box
scripts/gpu_box.py terminate
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from kent.remote.cli import main

if __name__ == "__main__":
    sys.exit(main())
