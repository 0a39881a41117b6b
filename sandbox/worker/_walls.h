/* What the two halves of the zygote's C extension share: the walls and the serving loop. */

#ifndef KENT_WALLS_H
#define KENT_WALLS_H

#define _GNU_SOURCE
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <errno.h>
#include <stdint.h>
#include <unistd.h>

/* What one program may use, and the descriptors that it gets. */
struct entry {
    int out, result, line; /* line < 0: none */
    int cpu_s;
    unsigned long long memory, file; /* bytes */
    int files, processes;            /* processes < 0: no limit */
};

/* A program's system call filter: BPF, and the indexes of the instructions that take its pid. */
struct filter {
    char *code;
    Py_ssize_t code_size; /* 0: neither filter nor dropping of capabilities */
    const char *places;
    Py_ssize_t places_size;
};

/* Fork; with home >= 0, a pidfd of the caller, the child is process 1 of a new process namespace.
   -1 and errno where the kernel refuses. */
pid_t fork_program(int home);

/* Lock this process down and write the READY frame; -1 and errno where the kernel refuses. */
int enter_program(const struct entry *entry, const struct filter *filter);

PyObject *serve(PyObject *self, PyObject *args);

#endif
