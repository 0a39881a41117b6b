"""What the zygote's interpreter is started with: finds the worker package, and runs it.

Run by the pool as
``python -S -s -P -B boot.py PACKAGE LEVEL EXTENSION NUMPY CONTROL_FD PARENT_FD GROUP_FD OWNER``,
OWNER being the pool's pid, for whoever looks at the list of processes. The package `sandbox` is
made here by hand, so that its public module, which the worker does not need, is not loaded.
"""

import sys
from types import ModuleType

if __name__ == "__main__":
    package = ModuleType("sandbox")
    package.__path__ = [sys.argv[1]]
    sys.modules["sandbox"] = package
    from sandbox.worker.zygote import main

    main(
        level=sys.argv[2],
        extension=sys.argv[3],
        numpy=sys.argv[4],
        control=int(sys.argv[5]),
        parent=int(sys.argv[6]),
        group=int(sys.argv[7]),
    )
