"""Puts this folder and the trainers' on the path: their tests share ``scripted``."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))
