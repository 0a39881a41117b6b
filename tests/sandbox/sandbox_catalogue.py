"""The catalogue of hostile, broken and honest programs: name, what it may get, and its text.

An empty expectation is "anything but passed". Programs that need a folder to write to are marked
with ``TMP``: level B has none, so there they may also be refused with an error. It is one long table: hence the file's length.
"""

# ruff: noqa: E501 - the programs as they are

PASSED = "passed"
R = "def f(x):\n    return x + 1\n"
TMP = frozenset(
    ["cleaner trap", "leaves a file", "looks for left-overs", "temporary file", "many names"]
)

CATALOGUE = {
    # endless
    "infinite loop": ("timeout", "def f(x):\n    while True: pass"),
    "loop at import": ("timeout", "while True: pass"),
    "sleep": ("timeout", "import time\ndef f(x): time.sleep(1000)"),
    "big power in C": ("timeout", "def f(x): return len(str(7 ** (7 ** 9)))"),
    "regex catastrophe": (
        "timeout",
        "import re\ndef f(x): return re.match('(a|a)*$', 'a' * 60 + 'b')",
    ),
    "catches everything": (
        "timeout",
        "def f(x):\n    while True:\n        try:\n            while True: pass\n"
        "        except BaseException: pass",
    ),
    "ignores all signals": (
        "timeout",
        "import signal\ndef f(x):\n    for n in range(1, 65):\n        try:\n"
        "            signal.signal(n, signal.SIG_IGN)\n        except Exception: pass\n"
        "    while True: pass",
    ),
    "disarms alarms": (
        "timeout",
        "import signal\ndef f(x):\n    for w in (0, 1, 2): signal.setitimer(w, 0)\n"
        "    signal.signal(signal.SIGALRM, signal.SIG_IGN)\n    while True: pass",
    ),
    "stops itself": (
        "timeout",
        "import os, signal\ndef f(x):\n    os.kill(os.getpid(), signal.SIGSTOP)\n"
        "    while True: pass",
    ),
    "blocks on a FIFO": (
        "error",
        "import os\ndef f(x):\n    os.mkfifo('/tmp/p')\n    open('/tmp/p').read()",
    ),
    "reads stdin": ("error", "def f(x): return input()"),
    "busy threads": (
        "timeout",
        "import threading\ndef g():\n    while True: pass\n"
        "for _ in range(8): threading.Thread(target=g, daemon=True).start()\ng()",
    ),
    # bombs
    "fork bomb": ("error", "import os\ndef f(x):\n    while True: os.fork()"),
    "vfork by ctypes": (
        "",
        "import ctypes\ndef f(x):\n    c = ctypes.CDLL(None)\n"
        "    pids = [c.syscall(n) for n in (57, 58)]\n    assert min(pids) >= 0",
    ),
    "thread bomb": (
        "error out_of_memory",
        "import threading, time\ndef f(x):\n    for _ in range(5000):\n"
        "        threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()\n"
        "    return x + 1",
    ),
    "memory bomb, blocks": (
        "out_of_memory",
        "def f(x):\n    keep = []\n    while True: keep.append(bytearray(50_000_000))",
    ),
    "memory bomb, doubling": (
        "out_of_memory",
        "def f(x):\n    l = [1]\n    while True: l = l + l",
    ),
    "memory bomb, mmap": (
        "",
        "import mmap\ndef f(x):\n    keep = []\n    while True:\n"
        "        m = mmap.mmap(-1, 50_000_000); m.write(b'x' * 50_000_000); keep.append(m)",
    ),
    "memory file": (
        "error",
        "import os\ndef f(x):\n    fd = os.memfd_create('m')\n"
        "    while True: os.write(fd, b'x' * 10_000_000)",
    ),
    "decompression bomb": (
        "out_of_memory timeout",
        "import zlib\ndef f(x):\n    b = zlib.compress(bytes(200_000_000)); keep = []\n"
        "    while True: keep.append(zlib.decompress(b))",
    ),
    "huge return": ("error", "def f(x): return 'x' * 256_000_000"),
    "deep return": (
        "error",
        "def f(x):\n    l = []\n    for _ in range(100_000): l = [l]\n    return l",
    ),
    "cyclic return": ("error", "def f(x):\n    l = []\n    l.append(l)\n    return l"),
    "endless generator": ("error", "import itertools\ndef f(x): return itertools.count()"),
    "recursion": ("error", "def f(x): return f(x)"),
    "recursion without limit": (
        "out_of_memory crashed timeout",
        "import sys\ndef f(x):\n    sys.setrecursionlimit(10 ** 9)\n    return f(x)",
    ),
    "segmentation fault": ("crashed", "import ctypes\ndef f(x): ctypes.string_at(0)"),
    "abort": ("crashed", "import os\ndef f(x): os.abort()"),
    "print flood": ("timeout", "def f(x):\n    while True: print('x' * 1000)"),
    "result-pipe flood": (
        "error",
        "import os\ndef f(x):\n    while True: os.write(3, b'x' * 65536)",
    ),
    "fills /tmp": (
        "error",
        "def f(x):\n    n = 0\n    while True:\n        with open(f'/tmp/{n}', 'wb') as o:\n"
        "            o.write(bytes(8_000_000))\n        n += 1",
    ),
    "inode exhaustion": (
        "error timeout",
        "import os\ndef f(x):\n    n = 0\n    while True:\n        os.mkdir(f'/tmp/d{n}'); n += 1",
    ),
    "closes all descriptors, loops": (
        "timeout",
        "import os\ndef f(x):\n    os.closerange(0, 1024)\n    while True: pass",
    ),
    "closes all descriptors, exits": (
        "error",
        "import os\ndef f(x):\n    os.closerange(0, 1024)\n    os._exit(0)",
    ),
    "daemonised grandchild": (
        "",
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
        "        time.sleep(1000)\n    os._exit(0)\n" + R,
    ),
    "left-over subprocess": ("", "import subprocess\nsubprocess.Popen(['sleep', '1000'])\n" + R),
    "live non-daemon thread": (
        PASSED,
        "import threading, time\nthreading.Thread(target=time.sleep, args=(1000,)).start()\n" + R,
    ),
    "hostile text": (
        "error",
        "class E(Exception):\n    def __str__(s):\n        while True: pass\n"
        "    __repr__ = __str__\ndef f(x): raise E()",
    ),
    # secrets
    "reads a canary": ("error", "def f(x):\n    print(open('@CANARY@').read())\n    return x + 1"),
    "reads passwd": ("error", "def f(x):\n    open('/etc/passwd').read()\n    return x + 1"),
    "reads shadow": ("error", "def f(x):\n    open('/etc/shadow').read()\n    return x + 1"),
    "parent's environment": (
        "error",
        "import os\ndef f(x):\n    print(open(f'/proc/{os.getppid()}/environ').read())\n"
        "    return x + 1",
    ),
    "daemon's environment": (
        "error",
        "def f(x):\n    print(open('/proc/@PARENT@/environ').read())\n    return x + 1",
    ),
    "process memory": (
        "error",
        "def f(x):\n    open('/proc/1/mem', 'rb').read(1)\n    return x + 1",
    ),
    "own memory": (
        "error",
        "def f(x):\n    open('/proc/self/mem', 'rb').read(1)\n    return x + 1",
    ),
    "environment secret": (
        "error",
        "import os\ndef f(x):\n    print(os.environ['KENT_TEST_SECRET'])\n    return x + 1",
    ),
    "environment by environ in C": (
        "",
        "import ctypes\ndef f(x):\n"
        "    e = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), 'environ')\n"
        "    n = 0\n    while e[n]:\n        print(e[n]); n += 1\n    return 0",
    ),
    # files
    "writes outside": (
        "error",
        "import os\ndef f(x):\n    open(os.path.dirname('@CANARY@') + '/new', 'w').write('x')\n"
        "    return x + 1",
    ),
    "changes the canary": (
        "error",
        "def f(x):\n    open('@CANARY@', 'w').write('x')\n    return x + 1",
    ),
    "changes the mode outside": (
        "error",
        "import os\ndef f(x):\n    os.chmod('@CANARY@', 0o777)\n    return x + 1",
    ),
    "changes the times outside": (
        "error",
        "import os\ndef f(x):\n    os.utime('@CANARY@', (0, 0))\n    return x + 1",
    ),
    "changes the mode of the library": (
        "error",
        "import os\ndef f(x):\n    with open(os.__file__) as o:\n"
        "        os.fchmod(o.fileno(), 0o777)\n    return x + 1",
    ),
    "poisons the library": (
        "error",
        "import os\ndef f(x):\n    p = os.path.dirname(os.__file__)\n"
        "    open(p + '/colorsys.py', 'a').write('1/0')\n    return x + 1",
    ),
    "poisons by rename": (
        "error",
        "import os\ndef f(x):\n    p = os.path.dirname(os.__file__)\n"
        "    os.rename(p + '/colorsys.py', p + '/colorsys_.py')\n    return x + 1",
    ),
    "deletes the canary": (
        "",
        "import os, shutil\nshutil.rmtree(os.path.dirname('@CANARY@'), ignore_errors=True)\n"
        "def f(x): return 0",
    ),
    "deletes everything": (
        "",
        "import shutil\nshutil.rmtree('/', ignore_errors=True)\ndef f(x): return 0",
    ),
    "cleaner trap": (
        PASSED,
        "import os\nos.chdir('/tmp')\nos.symlink(os.path.dirname('@CANARY@'), 'link')\n"
        "os.symlink('/', 'root')\nfor _ in range(60):\n    os.mkdir('deep')\n    os.chdir('deep')\n"
        "os.chdir('/tmp')\nos.mkdir('shut')\nopen('shut/file', 'w').close()\nos.chmod('shut', 0)\n"
        "open('new\\nline', 'w').close()\nos.chmod('/tmp', 0o700)\n" + R,
    ),
    "many names": (
        PASSED,
        "import os\nfor n in range(2000): open(f'/tmp/{n:0200}', 'w').close()\n" + R,
    ),
    "leaves a file": (PASSED, "open('/tmp/left', 'w').write('x')\n" + R),
    "looks for left-overs": (PASSED, "import os\nassert os.listdir('/tmp') == []\n" + R),
    # leaving
    "chroot escape": (
        "error",
        "import os\ndef f(x):\n    os.mkdir('/tmp/c'); os.chroot('/tmp/c')\n    return x + 1",
    ),
    "mount": (
        "",
        "import ctypes\ndef f(x):\n    c = ctypes.CDLL(None)\n"
        "    ok = [c.mount(b'none', b'/tmp', b'tmpfs', 0, None), c.umount2(b'/tmp', 2),\n"
        "          c.syscall(155, b'/tmp', b'/tmp')]\n    return x + 1 if 0 in ok else None",
    ),
    "enters a namespace": (
        "",
        "import ctypes, os\ndef f(x):\n    c = ctypes.CDLL(None)\n"
        "    fd = c.syscall(434, 1, 0)\n    return x + 1 if c.setns(fd, 0) == 0 else None",
    ),
    "SysV shared memory": (
        "",
        "import ctypes\ndef f(x):\n    return x + 1 if ctypes.CDLL(None).shmget(77, 4096, 0o1666) >= 0"
        " else None",
    ),
    "SysV messages": (
        "",
        "import ctypes\ndef f(x):\n    return x + 1 if ctypes.CDLL(None).msgget(77, 0o1666) >= 0 else None",
    ),
    "POSIX messages": (
        "",
        "import ctypes\ndef f(x):\n"
        "    return x + 1 if ctypes.CDLL(None).syscall(240, b'q', 66, 0o600, None) >= 0 else None",
    ),
    "keyring": (
        "",
        "import ctypes\ndef f(x):\n    c = ctypes.CDLL(None)\n"
        "    return x + 1 if c.syscall(248, b'user', b'k', b'v', 1, -3) >= 0 else None",
    ),
    "TCP to loopback": (
        "error",
        "import socket\ndef f(x):\n    socket.create_connection(('127.0.0.1', @PORT@), 1)\n"
        "    return x + 1",
    ),
    "UDP": (
        "error",
        "import socket\ndef f(x):\n    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "    s.sendto(b'x', ('127.0.0.1', @PORT@))\n    return x + 1",
    ),
    "DNS": (
        "error",
        "import socket\ndef f(x):\n    socket.getaddrinfo('example.org', 80)\n    return x + 1",
    ),
    "vsock": ("error", "import socket\ndef f(x):\n    socket.socket(40, 1)\n    return x + 1"),
    "abstract unix socket": (
        "error",
        "import socket\ndef f(x):\n    s = socket.socket(socket.AF_UNIX)\n"
        "    s.connect('\\0@ABSTRACT@')\n    return x + 1",
    ),
    "netlink": ("error", "import socket\ndef f(x):\n    socket.socket(16, 3)\n    return x + 1"),
    "packet": ("error", "import socket\ndef f(x):\n    socket.socket(17, 3)\n    return x + 1"),
    "AF_ALG": ("error", "import socket\ndef f(x):\n    socket.socket(38, 5)\n    return x + 1"),
    "io_uring": (
        "",
        "import ctypes\ndef f(x):\n    b = ctypes.create_string_buffer(120)\n"
        "    return x + 1 if ctypes.CDLL(None).syscall(425, 1, b) >= 0 else None",
    ),
    "kills its parent": ("", "import os\nos.kill(os.getppid(), 9)\ndef f(x): return 0"),
    "kills its group": ("", "import os\nos.kill(0, 9)\ndef f(x): return 0"),
    "kills everything": ("", "import os\nos.kill(-1, 9)\ndef f(x): return 0"),
    "kills the daemon": (
        "error",
        "import os\ndef f(x):\n    os.kill(@PARENT@, 9)\n    return x + 1",
    ),
    "signals by owner": (
        "",
        "import fcntl, os, signal\nr, w = os.pipe()\nfcntl.fcntl(r, fcntl.F_SETOWN, @PARENT@)\n"
        "fcntl.fcntl(r, 10, 9)\nfcntl.fcntl(r, fcntl.F_SETFL, os.O_ASYNC)\nos.write(w, b'x')\n"
        "def f(x): return 0",
    ),
    "ptrace": (
        "",
        "import ctypes, os\ndef f(x):\n    c = ctypes.CDLL(None)\n"
        "    return x + 1 if c.ptrace(16, @PARENT@, 0, 0) == 0 or c.ptrace(0, 0, 0, 0) == 0 else None",
    ),
    "process_vm_readv": (
        "",
        "import ctypes\ndef f(x):\n    b = ctypes.create_string_buffer(64)\n"
        "    return x + 1 if ctypes.CDLL(None).syscall(310, @PARENT@, b, 1, b, 1, 0) >= 0 else None",
    ),
    "pidfd_getfd": (
        "",
        "import ctypes\ndef f(x):\n    c = ctypes.CDLL(None)\n"
        "    return x + 1 if c.syscall(434, @PARENT@, 0) >= 0 or c.syscall(438, 3, 0, 0) >= 0 else None",
    ),
    "new user namespace": (
        "",
        "import ctypes\ndef f(x):\n    c = ctypes.CDLL(None)\n"
        "    return x + 1 if c.unshare(0x10000000) == 0 else None",
    ),
    "namespace by thread clone": (
        "",
        "import ctypes\ndef f(x):\n    c = ctypes.CDLL(None)\n"
        "    return x + 1 if c.syscall(56, 0x10010000, 0, 0, 0, 0) > 0 else None",
    ),
    "clone3": (
        "",
        "import ctypes\ndef f(x):\n    b = ctypes.create_string_buffer(88)\n"
        "    return x + 1 if ctypes.CDLL(None).syscall(435, b, 88) >= 0 else None",
    ),
    "x32 call numbers": (
        "violation",
        "import ctypes\ndef f(x):\n    ctypes.CDLL(None).syscall(0x40000000 + 39)\n    return x + 1",
    ),
    "i386 calls": (
        "violation",
        "import ctypes, mmap\ndef f(x):\n    m = mmap.mmap(-1, 4096, prot=7)\n"
        "    m.write(b'\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3')\n"
        "    a = ctypes.addressof(ctypes.c_char.from_buffer(m))\n"
        "    ctypes.CFUNCTYPE(ctypes.c_int)(a)()\n    return x + 1",
    ),
    "bpf and others": (
        "",
        "import ctypes\ndef f(x):\n    c = ctypes.CDLL(None)\n"
        "    b = ctypes.create_string_buffer(256)\n"
        "    got = [c.syscall(n, 0, b, 128, 0, 0) for n in (321, 323, 298, 246, 175, 313, 303, 304)]\n"
        "    return x + 1 if max(got) >= 0 else None",
    ),
    "real-time priority": (
        "error",
        "import os\ndef f(x):\n    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))\n"
        "    return x + 1",
    ),
    "negative nice": ("error", "import os\ndef f(x):\n    os.nice(-5)\n    return x + 1"),
    "raises its limits": (
        "error",
        "import resource\ndef f(x):\n"
        "    resource.setrlimit(resource.RLIMIT_AS, (-1, -1))\n    return x + 1",
    ),
    "limits of the parent": (
        "error",
        "import resource\ndef f(x):\n    resource.prlimit(@PARENT@, resource.RLIMIT_CPU, (1, 1))\n"
        "    return x + 1",
    ),
    "executes": (
        "error",
        "import os, sys\ndef f(x):\n    os.execv('/bin/sh', ['sh', '-c', 'true'])\n    return x + 1",
    ),
    "spawns": (
        "error",
        "import os\ndef f(x):\n    os.posix_spawn('/bin/true', ['true'], {})\n    return x + 1",
    ),
    "capabilities back": (
        "",
        "import ctypes\ndef f(x):\n    c = ctypes.CDLL(None)\n"
        "    h = (ctypes.c_uint32 * 2)(0x20080522, 0); d = (ctypes.c_uint32 * 6)(*[0xffffffff] * 6)\n"
        "    return x + 1 if c.capset(h, d) == 0 or c.prctl(24, 0, 0, 0, 0) == 0 else None",
    ),
    "lives on": (
        "",
        "import ctypes\ndef f(x):\n    return x + 1 if ctypes.CDLL(None).prctl(1, 0, 0, 0, 0) == 0"
        " else None",
    ),
    "terminal input": (
        "",
        "import fcntl\ndef f(x):\n    fcntl.ioctl(0, 0x5412, b'x')\n    return x + 1",
    ),
    "inherited descriptors": (
        PASSED,
        "import os\nopen_now = []\nfor fd in range(4, 200):\n    try:\n        os.fstat(fd)\n"
        "    except OSError: continue\n    open_now.append(fd)\nassert open_now == [], open_now\n"
        + R,
    ),
    "core dump": (
        "crashed out_of_memory",
        "import mmap, ctypes\nm = mmap.mmap(-1, 400_000_000)\ndef f(x): ctypes.string_at(0)",
    ),
    # forging
    "exit at import": ("error", "import sys\nsys.exit(0)"),
    "hard exit at import": ("error", "import os\nos._exit(0)"),
    "exit in f": ("error", "import sys\ndef f(x): sys.exit(0)"),
    "hard exit in f": ("error", "import os\ndef f(x): os._exit(0)"),
    "hard exit in a thread": (
        "error",
        "import os, threading, time\nthreading.Thread(target=os._exit, args=(0,)).start()\n"
        "time.sleep(1)\ndef f(x): return 0",
    ),
    "always equal": ("error", "class A:\n    def __eq__(s, o): return True\ndef f(x): return A()"),
    "always equal int": (
        "error",
        "class A(int):\n    def __eq__(s, o): return True\n    __hash__ = int.__hash__\n"
        "def f(x): return A(5)",
    ),
    "frame walk": (
        "failed",
        "import sys\ndef f(x):\n    fr = sys._getframe()\n    while fr:\n"
        "        for v in fr.f_locals.values():\n            if isinstance(v, list) and 11 in v:\n"
        "                return 11\n        fr = fr.f_back\n    return 0",
    ),
    "frame walk to results": (
        "error failed",
        "import os, sys\ndef f(x):\n    fr = sys._getframe()\n    while fr:\n"
        "        for v in fr.f_locals.values():\n            if isinstance(v, list): v.append('passed')\n"
        "        fr = fr.f_back\n    os._exit(0)",
    ),
    "frame walk to a status": (
        "error failed",
        "import os, sys\ndef f(x):\n    fr = sys._getframe()\n    while fr:\n"
        "        fr.f_globals['SUCCESS'] = fr.f_globals['passed'] = True\n        fr = fr.f_back\n"
        "    os._exit(0)",
    ),
    "reads the test source": (
        "failed",
        "import inspect, linecache, sys\ndef f(x):\n    text = ''\n    fr = sys._getframe()\n"
        "    while fr:\n        text += ''.join(linecache.getlines(fr.f_code.co_filename))\n"
        "        fr = fr.f_back\n    return 11 if ' 11' in text else 0",
    ),
    "patches builtins": (
        "",
        "import builtins, json\nbuiltins.abs = lambda x: 0\nbuiltins.isinstance = lambda *a: True\n"
        "builtins.all = lambda *a: True\nbuiltins.type = lambda *a: int\njson.dumps = lambda *a: '[]'\n"
        "def f(x): return 0",
    ),
    "patches unittest": (
        "failed",
        "import unittest\nunittest.TestCase.assertEqual = lambda *a: None\ndef f(x): return 0",
    ),
    "forges the result": (
        "error",
        "import os\nfor fd in range(3, 20):\n    try: os.write(fd, b'{\"passed\": true}\\npassed\\n')\n"
        "    except OSError: pass\nos._exit(0)",
    ),
    "forges frames": (
        "failed error",
        "import os, struct\nw = lambda t, b=b'': os.write(3, struct.pack('<cI', t, len(b)) + b)\n"
        "for _ in range(3): w(b'V', b'T')\nw(b'Z')\nos._exit(0)",
    ),
    "hash collisions": (
        "error failed",
        "import os, struct\ndef f(x):\n    n = 100_000\n    h = b'i' + struct.pack('<I', 12)\n"
        "    b = b''.join(h + (i * (2**61 - 1)).to_bytes(12, 'little') for i in range(n))\n"
        "    b = b'S' + struct.pack('<I', n) + b\n"
        "    os.write(3, struct.pack('<cI', b'V', len(b)) + b)\n    os._exit(0)",
    ),
    "prints success": (
        "error",
        "print('passed'); print('OK'); print('1 passed')\nraise SystemExit(0)",
    ),
    "atexit": (
        "failed",
        "import atexit, os\natexit.register(lambda: os._exit(0))\ndef f(x): return 0",
    ),
    "excepthook": ("error", "import sys, os\nsys.excepthook = lambda *a: os._exit(0)\n1 / 0"),
    "tracing": (
        "",
        "import os, sys\ndef t(*a):\n    os._exit(0)\nsys.settrace(t)\nsys.setprofile(t)\n"
        "def f(x): return 0",
    ),
    "import hook": (
        "error",
        "import sys\nclass H:\n    def find_spec(s, *a): raise SystemExit(0)\n"
        "sys.meta_path.insert(0, H())\nimport nothing_of_this_name",
    ),
    "redefines the check": (
        "failed",
        "def check(c): pass\ndef candidate(x): return x + 1\ndef f(x): return 0",
    ),
    "pickle bomb": (
        "error",
        "import os\nclass A:\n    def __reduce__(s): return (os.system, ('touch @CANARY@2',))\n"
        "def f(x): return A()",
    ),
    "number of 5,000 digits": ("failed", "def f(x): return 10 ** 5000"),
    "lone surrogate": ("failed", "def f(x): return '\\ud800'"),
    "NaN": ("failed", "def f(x): return float('nan')"),
    "clock games": (
        PASSED,
        "import time\ntime.time = time.monotonic = time.perf_counter = lambda: 0\n" + R,
    ),
    "sets the clock": (
        "error",
        "import time\ndef f(x):\n    time.clock_settime(0, 0)\n    return x + 1",
    ),
    "null bytes": ("syntax_error", "x = 1\x00\n" + R),
    "brackets": ("syntax_error out_of_memory crashed", "(" * 10_000),
    "long line": (PASSED, "s = '" + "x" * 1_000_000 + "'\n" + R),
    "deep expression": (
        "syntax_error error crashed out_of_memory",
        "x = " + "-" * 100_000 + "1\n" + R,
    ),
    "byte order mark": ("syntax_error", "\ufeff" + R),
    # honest
    "plain": (PASSED, R),
    "prints a lot": (PASSED, "for i in range(6000): print('line', i)\n" + R),
    "thread": (
        PASSED,
        "import threading\nout = []\nt = threading.Thread(target=out.append, args=(1,))\n"
        "t.start(); t.join()\nassert out\n" + R,
    ),
    "temporary file": (
        PASSED,
        "import tempfile\nwith tempfile.TemporaryDirectory() as d:\n"
        "    open(d + '/a', 'w').write('x')\n    assert open(d + '/a').read() == 'x'\n"
        "with tempfile.NamedTemporaryFile() as n: n.write(b'x')\n" + R,
    ),
    "25 imports": (
        PASSED,
        "import sqlite3, asyncio, xml.etree.ElementTree, csv, argparse, array, ast, base64, bisect\n"
        "import calendar, cmath, collections, configparser, contextlib, copy, dataclasses, difflib\n"
        "import email, enum, glob, gzip, hashlib, html, http.client, inspect, logging, lzma, bz2\n"
        "import pathlib, pickle, pprint, queue, secrets, shutil, socket, ssl, subprocess, tarfile\n"
        "import textwrap, unittest, urllib.request, uuid, zipfile, zoneinfo, multiprocessing\n"
        "assert sqlite3.connect(':memory:').execute('select 1').fetchone() == (1,)\n" + R,
    ),
    "recursion 9,000 deep": (
        PASSED,
        "import sys\nsys.setrecursionlimit(10_000)\ndef g(n): return n and 1 + g(n - 1)\n"
        "assert g(9000) == 9000\n" + R,
    ),
    "200 MB": (PASSED, "b = bytearray(200_000_000)\n" + R),
    "asyncio": (
        PASSED,
        "import asyncio\nasync def g():\n    await asyncio.sleep(0.01)\n    return 1\n"
        "assert asyncio.run(g()) == 1\n" + R,
    ),
    "thread pool": (
        PASSED,
        "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(8) as p:\n"
        "    assert list(p.map(abs, [-1, 2])) == [1, 2]\n" + R,
    ),
    "defines exit": (PASSED, "def exit(*a): return 3\nassert exit() == 3\n" + R),
    "uses the environment": (
        PASSED,
        "import os\nos.environ['A'] = 'b'\nassert os.getenv('A') == 'b' and os.getcwd()\n" + R,
    ),
    "dataclass and enum": (
        PASSED,
        "from dataclasses import dataclass\nfrom enum import Enum\n@dataclass\nclass P:\n    x: int\n"
        "class C(Enum):\n    A = 1\nassert P(1) == P(1) and C.A.value == 1\n" + R,
    ),
    "numbers, decimals, dates": (
        PASSED,
        "import datetime, decimal, fractions, statistics, random\n"
        "datetime.datetime.now(); decimal.getcontext().prec = 50; random.seed(1); random.random()\n"
        + R,
    ),
    "reads limits": (PASSED, "import resource\nresource.getrlimit(resource.RLIMIT_AS)\n" + R),
}
