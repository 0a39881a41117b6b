/* What the zygote's loop and its supervision share: messages, buffers, processes. */

#ifndef KENT_SERVE_H
#define KENT_SERVE_H

#include "_walls.h"

#include <sys/uio.h>

#define MAGIC 0x4B454E54
#define STEP 65536
#define KEPT 8192             /* bytes of output kept from its start, and as many from its end */
#define CHECK_S 0.01          /* the least time between two looks at the CPU clock */
#define QUIET_S 0.002         /* so long only the program's end is waited for */
#define RETURN_S 0.05         /* after that, a job that waits behind a program is given back */
#define BACKSTOP_S 2          /* as in child.py */
#define SCHEDULER_CLOCK 2

enum why { ENDED, CPU, WALL, RESULT_CAP, RETURNED };
enum kind { DATA, SPLIT, SHARED, TRACED, OBSERVED = 5, SHARED_OBSERVED };

/* What a forked process does: as a job's kind says, but for the second process of SPLIT. */
enum role { TESTER = 4 };

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

/* Helpers of both; all of them end the process where they cannot do their work. */
double now(void);
void reserve(struct memory *memory, size_t size);
void wipe(struct memory *memory);
void read_exactly(int fd, char *at, size_t size);
void write_all(int fd, struct iovec *pieces, int count);
void begin_stream(struct stream *stream, size_t cap);
void end_stream(struct stream *stream);

/* Read what is there; 0 above the cap. */
int drain_frames(struct stream *stream);

/* Read what a program prints; its head and its tail are kept. */
void drain_output(struct zygote *z);

/* Wait until every process of the job has ended; why they did. */
enum why supervise(struct zygote *z, const struct job *job, double started);

#endif
