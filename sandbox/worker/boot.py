"""What the zygote's interpreter is started with: finds the worker package, and runs it.

Run as ``python -S -s -P -B boot.py PACKAGE LEVEL EXTENSION CONTROL_FD PARENT_FD OWNER``
by the pool, OWNER being its pid, for whoever looks at the list of processes. The
package `sandbox` is made here by hand, so that its public module, which the worker does not need,
is not loaded.
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
        control=int(sys.argv[4]),
        parent=int(sys.argv[5]),
    )
