/* The walls in C: fork a program into its own process namespace, and lock it down.

   The same as namespaces.Nursery.fork and child.enter do through ctypes, with far fewer pages
   touched in each child, which is what a fork costs. Built on first use where there is a compiler;
   see sandbox/native.py. No Python hooks run around this fork: the zygote has one thread. */

#include "_walls.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

struct bpf_instruction { uint16_t code; uint8_t jt, jf; uint32_t k; };
struct bpf_program { unsigned short len; struct bpf_instruction *filter; };
struct cap_header { uint32_t version; int pid; };
struct cap_sets { uint32_t effective, permitted, inheritable; };

pid_t fork_program(int home)
{
    if (home >= 0 && unshare(CLONE_NEWPID) < 0)
        return -1;
    pid_t pid = fork();
    if (pid > 0 && home >= 0 && setns(home, CLONE_NEWPID) < 0)
        return -1;
    return pid;
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

int enter_program(const struct entry *entry, const struct filter *filter)
{
    struct bpf_instruction *code = (struct bpf_instruction *)filter->code;
    const uint16_t *place = (const uint16_t *)filter->places;
    for (Py_ssize_t i = 0; i < filter->places_size / 2; i++)
        code[place[i]].k = (uint32_t)getpid();
    struct bpf_program program = { (unsigned short)(filter->code_size / 8), code };
    int failed = setsid() < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0
        || descriptors(entry->out, entry->result, entry->line) < 0
        || limit(RLIMIT_CPU, entry->cpu_s) < 0 || limit(RLIMIT_AS, entry->memory) < 0
        || limit(RLIMIT_FSIZE, entry->file) < 0 || limit(RLIMIT_NOFILE, entry->files) < 0
        || limit(RLIMIT_CORE, 0) < 0
        || (entry->processes >= 0 && limit(RLIMIT_NPROC, entry->processes) < 0)
        || (filter->code_size
            && (drop_capabilities() < 0 || syscall(SYS_seccomp, 1, 0, &program) < 0))
        || write(3, "K\0\0\0\0", 5) != 5;
    return failed ? -1 : 0;
}

/* syscall(number, *arguments) -> result: up to six integers or buffers, these by their address. */
static PyObject *walls_syscall(PyObject *self, PyObject *args)
{
    long number, values[6] = { 0 };
    Py_buffer buffers[6];
    Py_ssize_t count = PyTuple_GET_SIZE(args), held = 0;
    if (count < 1 || count > 7)
        return PyErr_Format(PyExc_TypeError, "a number and at most six arguments");
    number = PyLong_AsLong(PyTuple_GET_ITEM(args, 0));
    for (Py_ssize_t i = 1; i < count && !PyErr_Occurred(); i++) {
        PyObject *item = PyTuple_GET_ITEM(args, i);
        if (PyLong_Check(item))
            values[i - 1] = PyLong_AsLong(item);
        else if (PyObject_GetBuffer(item, &buffers[held], PyBUF_SIMPLE) == 0)
            values[i - 1] = (long)buffers[held++].buf;
    }
    long result = PyErr_Occurred() ? 0
        : syscall(number, values[0], values[1], values[2], values[3], values[4], values[5]);
    int failed = errno;
    while (held)
        PyBuffer_Release(&buffers[--held]);
    if (PyErr_Occurred())
        return NULL;
    errno = failed;
    return result < 0 ? PyErr_SetFromErrno(PyExc_OSError) : PyLong_FromLong(result);
}

/* seccomp(code): put a filter on this thread and what it forks. */
static PyObject *walls_seccomp(PyObject *self, PyObject *args)
{
    Py_buffer code;
    if (!PyArg_ParseTuple(args, "y*", &code))
        return NULL;
    struct bpf_program program = { (unsigned short)(code.len / 8), code.buf };
    long result = syscall(SYS_seccomp, 1, 0, &program);
    int failed = errno;
    PyBuffer_Release(&code);
    errno = failed;
    if (result < 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    { "syscall", walls_syscall, METH_VARARGS, "Make a system call by number." },
    { "seccomp", walls_seccomp, METH_VARARGS, "Install a filter." },
    { "serve", serve, METH_VARARGS, "Serve jobs; returns only in a program's own process." },
    { NULL, NULL, 0, NULL },
};

static struct PyModuleDef module = { PyModuleDef_HEAD_INIT, "_walls", NULL, -1, methods,
                                     NULL, NULL, NULL, NULL };

PyMODINIT_FUNC PyInit__walls(void)
{
    return PyModule_Create(&module);
}
