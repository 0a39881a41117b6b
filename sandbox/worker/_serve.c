/* The zygote's loop in C: a job, a fork, its supervision, a report. See wire.py for the messages.

   The same as zygote.Zygote, supervise.Supervisor and memory.Stream do in Python, at a tenth of the
   processor time. What programs write passes through mappings that no child inherits. */

#include "_walls.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#define MAGIC 0x4B454E54
#define STEP 65536
#define KEPT 8192             /* bytes of output kept from its start, and as many from its end */
#define CHECK_S 0.01          /* the least time between two looks at the CPU clock */
#define QUIET_S 0.002         /* so long only the program's end is waited for */
#define RETURN_S 0.05         /* after that, a job that waits behind a program is given back */
#define BACKSTOP_S 2          /* as in child.py */
#define SCHEDULER_CLOCK 2

enum why { ENDED, CPU, WALL, RESULT_CAP, RETURNED };
enum role { CANDIDATE_DATA, CANDIDATE_SPLIT, TESTER };

struct __attribute__((packed)) job {
    uint32_t magic, kind;
    double cpu_s, wall_s;
    uint32_t memory_mb, output_bytes, result_bytes, open_files, processes, file_mb;
    uint32_t code_size, inputs_size, tester_size;
};

struct __attribute__((packed)) report {
    uint32_t magic, why;
    int32_t status, tester_status;
    double cpu_s, wall_s;
    uint32_t peak_kib, frames_size, tester_frames_size, head_size, tail_size;
};

/* A mapping that grows and is not inherited, except the payload's. */
struct memory { char *at; size_t size; int inherited; };

/* A pipe that a program writes to. */
struct stream { int read, write; struct memory memory; size_t size, cap; };

struct process { pid_t pid; int pidfd, ended, status; double cpu_s; long peak_kib; };

struct zygote {
    int control, parent, home, cores, tmp;
    unsigned long long tmp_free;
    struct filter filter;
    PyObject *sweep; /* called when /tmp is not empty; NULL where there is none */
    struct memory payload, output_memory;
    struct stream output, frames[2];
    size_t head, tail, half;
    struct process processes[2];
    int count;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void reserve(struct memory *memory, size_t size)
{
    if (size <= memory->size)
        return;
    if (memory->at)
        munmap(memory->at, memory->size);
    memory->size = (size + 0xFFFFF) & ~(size_t)0xFFFFF;
    memory->at = mmap(NULL, memory->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory->at == MAP_FAILED)
        _exit(72);
    if (!memory->inherited)
        madvise(memory->at, memory->size, MADV_DONTFORK);
}

static void wipe(struct memory *memory)
{
    if (memory->at)
        madvise(memory->at, memory->size, MADV_DONTNEED);
}

static void read_exactly(int fd, char *at, size_t size)
{
    while (size) {
        ssize_t count = read(fd, at, size);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            _exit(0); /* the pool hung up */
        at += count;
        size -= count;
    }
}

static void write_all(int fd, struct iovec *pieces, int count)
{
    while (count) {
        ssize_t done = writev(fd, pieces, count);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            _exit(0);
        while (count && (size_t)done >= pieces->iov_len) {
            done -= pieces->iov_len;
            pieces++, count--;
        }
        if (count) {
            pieces->iov_base = (char *)pieces->iov_base + done;
            pieces->iov_len -= done;
        }
    }
}

/* A new pipe for each program: what one does to its end must not reach the next. */
static void begin_stream(struct stream *stream, size_t cap)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        _exit(73);
    stream->read = ends[0];
    stream->write = ends[1];
    fcntl(stream->read, F_SETFL, O_NONBLOCK);
    stream->size = 0;
    stream->cap = cap;
    reserve(&stream->memory, cap + STEP);
}

static void end_stream(struct stream *stream)
{
    close(stream->read);
    close(stream->write);
}

/* Read what is there; 0 above the cap. */
static int drain_frames(struct stream *stream)
{
    while (stream->size <= stream->cap) {
        ssize_t count = read(stream->read, stream->memory.at + stream->size, STEP);
        if (count <= 0)
            return 1;
        stream->size += count;
    }
    return 0;
}

/* Keep the head and the tail of what a program prints; all of it is drained. */
static void keep(struct zygote *z, const char *new, size_t size)
{
    char *head = z->output.memory.at, *tail = head + z->half;
    size_t taken = z->half - z->head < size ? z->half - z->head : size;
    memcpy(head + z->head, new, taken);
    z->head += taken;
    new += taken, size -= taken;
    if (size > z->half)
        new += size - z->half, size = z->half;
    size_t stay = z->tail < z->half - size ? z->tail : z->half - size;
    memmove(tail, tail + z->tail - stay, stay);
    memcpy(tail + stay, new, size);
    z->tail = stay + size;
}

static void drain_output(struct zygote *z)
{
    char *scratch = z->output.memory.at + 2 * z->half;
    ssize_t count;
    for (int turns = 0; turns < 64 && (count = read(z->output.read, scratch, STEP)) > 0; turns++)
        keep(z, scratch, count);
}

static double cpu_seconds(pid_t pid)
{
    struct timespec t;
    clockid_t clock = ((~(clockid_t)pid) << 3) | SCHEDULER_CLOCK;
    return clock_gettime(clock, &t) < 0 ? 0 : t.tv_sec + t.tv_nsec / 1e9;
}

static void kill_all(struct zygote *z)
{
    for (int i = 0; i < z->count; i++)
        if (!z->processes[i].ended)
            kill(z->processes[i].pid, SIGKILL);
}

static void reap(struct process *process)
{
    struct rusage usage;
    while (wait4(process->pid, &process->status, 0, &usage) < 0 && errno == EINTR)
        ;
    process->ended = 1;
    process->cpu_s = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec
        + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    process->peak_kib = usage.ru_maxrss;
    close(process->pidfd);
}

/* Give back a job that waits behind this program: another zygote may be free. */
static void give_back(struct zygote *z)
{
    struct job job;
    read_exactly(z->control, (char *)&job, sizeof job);
    size_t size = (size_t)job.code_size + job.inputs_size + job.tester_size;
    for (size_t part; size; size -= part) {
        part = size < STEP ? size : STEP;
        read_exactly(z->control, z->output.memory.at + 2 * z->half, part);
    }
    struct report report = { .magic = MAGIC, .why = RETURNED };
    struct iovec piece = { &report, sizeof report };
    write_all(z->control, &piece, 1);
}

/* CPU seconds until one of the processes is over its limit. */
static double cpu_left(struct zygote *z, const struct job *job)
{
    double used = 0;
    for (int i = 0; i < z->count; i++)
        if (!z->processes[i].ended) {
            double mine = cpu_seconds(z->processes[i].pid);
            used = mine > used ? mine : used;
        }
    return job->cpu_s - used;
}

/* Take in what poll found; tells whether a result is above its cap. */
static int attend(struct zygote *z, struct pollfd *polled, int quiet)
{
    int over = 0;
    for (int i = 0; i < z->count; i++)
        if (polled[i].revents && !z->processes[i].ended) {
            reap(&z->processes[i]);
            if (i == 1 && !z->processes[0].ended) /* the tests are over */
                kill(z->processes[0].pid, SIGKILL);
        }
    if (quiet)
        return 0;
    if (polled[2].revents)
        drain_output(z);
    for (int i = 0; i < z->count; i++)
        if (polled[3 + i].revents)
            over |= !drain_frames(&z->frames[i]);
    return over;
}

/* Wait until every process has ended; why they did. */
static enum why supervise(struct zygote *z, const struct job *job, double started)
{
    enum why why = ENDED;
    double deadline = started + job->wall_s, look = started + job->cpu_s / z->cores;
    int given_back = 0;
    struct pollfd polled[7] = {
        { .fd = -1 }, { .fd = -1 },
        { .fd = z->output.read, .events = POLLIN },
        { .fd = z->frames[0].read, .events = POLLIN },
        { .fd = z->count > 1 ? z->frames[1].read : -1, .events = POLLIN },
        { .fd = z->parent, .events = POLLIN },
        { .fd = z->control, .events = POLLRDHUP },
    };
    for (;;) {
        int living = 0;
        for (int i = 0; i < z->count; i++) {
            polled[i].fd = z->processes[i].ended ? -1 : z->processes[i].pidfd;
            polled[i].events = POLLIN;
            living += !z->processes[i].ended;
        }
        if (!living)
            return why;
        double at = now(), spent = at - started, wait;
        int quiet = spent < QUIET_S && z->count == 1;
        if (at >= deadline && !why)
            why = WALL, kill_all(z);
        if (at >= look && !why) {
            double left = cpu_left(z, job);
            if (left <= 0)
                why = CPU, kill_all(z);
            look = at + (left / z->cores > CHECK_S ? left / z->cores : CHECK_S);
        }
        if (!given_back && spent >= RETURN_S)
            polled[6].events = POLLRDHUP | POLLIN;
        wait = why ? 1.0 : (deadline < look ? deadline : look) - at;
        if (quiet && wait > QUIET_S)
            wait = QUIET_S;
        else if (!given_back && spent < RETURN_S && wait > RETURN_S - spent)
            wait = RETURN_S - spent;
        struct timespec timeout = { (time_t)wait, (long)((wait - (time_t)wait) * 1e9) };
        if (wait < 0)
            timeout.tv_sec = timeout.tv_nsec = 0;
        if (ppoll(polled, quiet ? 1 : 7, &timeout, NULL) < 0)
            continue;
        if (!quiet && (polled[5].revents || polled[6].revents & (POLLRDHUP | POLLHUP | POLLERR))) {
            kill_all(z);
            _exit(0); /* the pool is gone */
        }
        if (attend(z, polled, quiet) && !why)
            why = RESULT_CAP, kill_all(z);
        if (why == RESULT_CAP)
            polled[3].fd = polled[4].fd = -1;
        if (!quiet && polled[6].revents & POLLIN) {
            give_back(z);
            given_back = 1;
            polled[6].events = POLLRDHUP;
        }
    }
}

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
static PyObject *become(struct zygote *z, const struct job *job, enum role role, int line)
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
    PyObject *inputs = PyMemoryView_FromMemory(at + first, role == CANDIDATE_DATA ? job->inputs_size : 0,
                                               PyBUF_READ);
    return Py_BuildValue("iNN", (int)role, code, inputs);
}

/* Fork one process of a job; the child gets what `become` gives, the zygote NULL. */
static PyObject *start(struct zygote *z, const struct job *job, enum role role, int line)
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
    if (job->kind == 0)
        return start(z, job, CANDIDATE_DATA, -1);
    int line[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line) < 0)
        _exit(73);
    PyObject *found = start(z, job, CANDIDATE_SPLIT, line[0]);
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
