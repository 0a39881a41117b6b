/* The zygote's hot path in C: fork a program into its own process namespace, and lock it down.

   The same as namespaces.Nursery.fork and child.enter do through ctypes, with far fewer pages
   touched in each child, which is what a fork costs. Built on first use where there is a compiler;
   see sandbox/native.py. No Python hooks run around this fork: the zygote has one thread. */

#define _GNU_SOURCE
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

struct bpf_instruction { uint16_t code; uint8_t jt, jf; uint32_t k; };
struct bpf_program { unsigned short len; struct bpf_instruction *filter; };
struct cap_header { uint32_t version; int pid; };
struct cap_sets { uint32_t effective, permitted, inheritable; };

/* fork(home) -> pid. With home >= 0, a pidfd of the caller, the child is process 1 of a new
   process namespace. */
static PyObject *walls_fork(PyObject *self, PyObject *args)
{
    int home;
    if (!PyArg_ParseTuple(args, "i", &home))
        return NULL;
    if (home >= 0 && unshare(CLONE_NEWPID) < 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    pid_t pid = fork();
    if (pid < 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    if (pid > 0 && home >= 0 && setns(home, CLONE_NEWPID) < 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    return PyLong_FromLong(pid);
}

static int limit(int which, unsigned long long amount)
{
    struct rlimit both = { amount, amount };
    return setrlimit(which, &both);
}

static int descriptors(int out, int result, int line)
{
    if (dup2(out, 1) < 0 || dup2(out, 2) < 0)
        return -1;
    /* Numbers may collide with 3 and 4, so both move out of the way first. */
    int last = 3;
    int moved_result = dup(result), moved_line = line >= 0 ? dup(line) : -1;
    if (moved_result < 0 || dup2(moved_result, 3) < 0)
        return -1;
    if (line >= 0) {
        if (moved_line < 0 || dup2(moved_line, 4) < 0)
            return -1;
        last = 4;
    }
    return syscall(SYS_close_range, last + 1, ~0U, 0);
}

static int drop_capabilities(void)
{
    struct cap_header header = { 0x20080522, 0 };
    struct cap_sets none[2] = { { 0, 0, 0 }, { 0, 0, 0 } };
    return syscall(SYS_capset, &header, none);
}

/* enter(out, result, line, cpu_s, memory, file, files, processes, filter, places): the limits in
   seconds, bytes and pieces, processes < 0 for no limit; filter is the program's, with this
   process's pid to be put in at each of places; an empty one leaves the filter and the capabilities
   as they are. Writes the READY frame last. */
static PyObject *walls_enter(PyObject *self, PyObject *args)
{
    int out, result, line, cpu, files, processes;
    unsigned long long memory, file;
    Py_buffer filter, places;
    if (!PyArg_ParseTuple(args, "iiiiKKiiw*y*", &out, &result, &line, &cpu, &memory, &file, &files,
                          &processes, &filter, &places))
        return NULL;
    struct bpf_instruction *code = filter.buf;
    const uint16_t *place = places.buf;
    for (Py_ssize_t i = 0; i < places.len / 2; i++)
        code[place[i]].k = (uint32_t)getpid();
    struct bpf_program program = { (unsigned short)(filter.len / 8), code };
    int failed = setsid() < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0
        || descriptors(out, result, line) < 0
        || limit(RLIMIT_CPU, cpu) < 0 || limit(RLIMIT_AS, memory) < 0
        || limit(RLIMIT_FSIZE, file) < 0 || limit(RLIMIT_NOFILE, files) < 0
        || limit(RLIMIT_CORE, 0) < 0
        || (processes >= 0 && limit(RLIMIT_NPROC, processes) < 0)
        || (filter.len && (drop_capabilities() < 0 || syscall(SYS_seccomp, 1, 0, &program) < 0))
        || write(3, "K\0\0\0\0", 5) != 5;
    if (failed)
        return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    { "fork", walls_fork, METH_VARARGS, "Fork a program." },
    { "enter", walls_enter, METH_VARARGS, "Lock this process down." },
    { NULL, NULL, 0, NULL },
};

static struct PyModuleDef module = { PyModuleDef_HEAD_INIT, "_walls", NULL, -1, methods,
                                     NULL, NULL, NULL, NULL };

PyMODINIT_FUNC PyInit__walls(void)
{
    return PyModule_Create(&module);
}
