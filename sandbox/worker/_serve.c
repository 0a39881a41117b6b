/* The zygote's loop in C: a job, a fork, its supervision, a report. See wire.py for the messages.

   The same as zygote.Zygote does in Python. */

#include "_serve.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

static void send_report(struct zygote *z, enum why why, double seconds)
{
    struct process *candidate = &z->processes[0];
    size_t sizes[2] = { 0, 0 };
    for (int i = 0; i < z->count; i++) {
        drain_frames(&z->frames[i]);
        sizes[i] = z->frames[i].size < z->frames[i].cap ? z->frames[i].size : z->frames[i].cap;
    }
    drain_output(z);
    struct report report = {
        MAGIC, why, candidate->status, z->count > 1 ? z->processes[1].status : 0,
        candidate->cpu_s, seconds, (uint32_t)candidate->peak_kib,
        (uint32_t)sizes[0], (uint32_t)sizes[1], (uint32_t)z->head, (uint32_t)z->tail,
    };
    struct iovec pieces[5] = {
        { &report, sizeof report },
        { z->frames[0].memory.at, sizes[0] },
        { z->frames[1].memory.at, sizes[1] },
        { z->output.memory.at, z->head },
        { z->output.memory.at + z->half, z->tail },
    };
    write_all(z->control, pieces, 5);
    if (sizes[0] + sizes[1] + z->head + z->tail > STEP) {
        wipe(&z->frames[0].memory);
        wipe(&z->frames[1].memory);
        wipe(&z->output.memory);
    }
}

/* In the child: lock down, and tell Python what to do with which bytes. */
static PyObject *become(struct zygote *z, const struct job *job, int role, int line)
{
    struct entry entry = {
        z->output.write, z->frames[role == TESTER].write, line, (int)job->cpu_s + BACKSTOP_S,
        (unsigned long long)job->memory_mb << 20, (unsigned long long)job->file_mb << 20,
        (int)job->open_files, z->home >= 0 ? (int)job->processes : -1,
    };
    if (enter_program(&entry, &z->filter) < 0)
        _exit(71);
    char *at = z->payload.at;
    Py_ssize_t first = role == TESTER ? job->tester_size : job->code_size;
    PyObject *code = PyMemoryView_FromMemory(at, first, PyBUF_READ);
    Py_ssize_t second = job->kind == SPLIT ? 0 : job->inputs_size;
    PyObject *inputs = PyMemoryView_FromMemory(at + first, second, PyBUF_READ);
    return Py_BuildValue("iNN", role, code, inputs);
}

/* Fork one process of a job; the child gets what `become` gives, the zygote NULL. */
static PyObject *start(struct zygote *z, const struct job *job, int role, int line)
{
    begin_stream(&z->frames[role == TESTER], job->result_bytes);
    pid_t pid = fork_program(z->home);
    if (pid == 0)
        return become(z, job, role, line);
    if (pid < 0)
        _exit(74); /* the pool starts another zygote */
    struct process *process = &z->processes[z->count++];
    *process = (struct process){ .pid = pid, .pidfd = syscall(SYS_pidfd_open, pid, 0) };
    return NULL;
}

/* Start the processes of a job. In split mode the candidate comes first: the tests are not yet in
   this memory. */
static PyObject *start_all(struct zygote *z, const struct job *job)
{
    size_t size = (size_t)job->code_size + job->inputs_size;
    reserve(&z->payload, size);
    read_exactly(z->control, z->payload.at, size);
    if (job->kind != SPLIT)
        return start(z, job, job->kind, -1);
    int line[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line) < 0)
        _exit(73);
    PyObject *found = start(z, job, SPLIT, line[0]);
    if (found)
        return found;
    wipe(&z->payload);
    reserve(&z->payload, job->tester_size);
    read_exactly(z->control, z->payload.at, job->tester_size);
    found = start(z, job, TESTER, line[1]);
    if (!found) {
        close(line[0]);
        close(line[1]);
    }
    return found;
}

/* Whether /tmp is as empty as at first; else the sweeper's word on it. */
static int clean(struct zygote *z)
{
    struct statvfs facts;
    if (!z->sweep || (fstatvfs(z->tmp, &facts) == 0 && facts.f_ffree == z->tmp_free))
        return 1;
    PyObject *done = PyObject_CallNoArgs(z->sweep);
    int truth = done ? PyObject_IsTrue(done) : 0;
    Py_XDECREF(done);
    return truth > 0;
}

static PyObject *serve_one(struct zygote *z)
{
    struct job job;
    read_exactly(z->control, (char *)&job, sizeof job);
    if (job.magic != MAGIC)
        _exit(70); /* out of step with the pool, which will start another zygote */
    z->count = 0;
    z->head = z->tail = 0;
    z->half = job.output_bytes / 2 < KEPT ? job.output_bytes / 2 : KEPT;
    begin_stream(&z->output, 2 * KEPT);
    double started = now();
    PyObject *found = start_all(z, &job);
    if (found)
        return found;
    wipe(&z->payload);
    enum why why = supervise(z, &job, started);
    double seconds = now() - started;
    int swept = clean(z);
    send_report(z, why, seconds);
    end_stream(&z->output);
    for (int i = 0; i < z->count; i++)
        end_stream(&z->frames[i]);
    if (!swept)
        _exit(0); /* the next program gets a fresh zygote, and with it an empty /tmp */
    return NULL;
}

/* serve(control, parent, home, cores, filter, places, tmp, sweep) -> (role, code, inputs), in a
   program's own process only. home < 0: no process namespaces; tmp < 0: nothing to sweep. */
PyObject *serve(PyObject *self, PyObject *args)
{
    static struct zygote z;
    Py_buffer filter, places;
    if (!PyArg_ParseTuple(args, "iiiiw*y*iO", &z.control, &z.parent, &z.home, &z.cores, &filter,
                          &places, &z.tmp, &z.sweep))
        return NULL;
    z.filter = (struct filter){ filter.buf, filter.len, places.buf, places.len };
    z.payload.inherited = 1;
    struct statvfs facts = { 0 };
    if (z.tmp < 0)
        z.sweep = NULL;
    else if (fstatvfs(z.tmp, &facts) < 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    z.tmp_free = facts.f_ffree;
    for (;;) {
        struct pollfd idle[2] = { { z.control, POLLIN, 0 }, { z.parent, POLLIN, 0 } };
        if (poll(idle, 2, -1) < 0)
            continue;
        if (idle[1].revents)
            _exit(0);
        PyObject *found = serve_one(&z);
        if (found || PyErr_Occurred())
            return found;
    }
}
