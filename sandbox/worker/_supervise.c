/* Watching a program run, in C: its limits, its pipes, its end, and what it used.

   The same as supervise.Supervisor and memory.Stream do in Python, at a tenth of the processor time.
   What programs write passes through mappings that no child inherits. */

#include "_serve.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

void reserve(struct memory *memory, size_t size)
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

void wipe(struct memory *memory)
{
    if (memory->at)
        madvise(memory->at, memory->size, MADV_DONTNEED);
}

void read_exactly(int fd, char *at, size_t size)
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

void write_all(int fd, struct iovec *pieces, int count)
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
void begin_stream(struct stream *stream, size_t cap)
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

void end_stream(struct stream *stream)
{
    close(stream->read);
    close(stream->write);
}

/* Read what is there; 0 above the cap. */
int drain_frames(struct stream *stream)
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

void drain_output(struct zygote *z)
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
enum why supervise(struct zygote *z, const struct job *job, double started)
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
