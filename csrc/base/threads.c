#include "base/threads.h"

#include <omp.h>
#include <pthread.h>

static int threads = 0; // 0: not asked yet

// After fork the child has no worker threads, and libgomp would wait for them for ever.
static void only_one_left(void)
{
    threads = 1;
}

int lt_threads(void)
{
    if (threads == 0) {
        threads = omp_get_max_threads();
        pthread_atfork(NULL, NULL, only_one_left);
    }
    return threads;
}

void lt_threads_set(int n)
{
    lt_threads(); // registers the fork handler
    threads = n < 1 ? 1 : n;
}

int lt_thread_index(void)
{
    return omp_in_parallel() ? omp_get_thread_num() : 0;
}

void lt_parallel(int64_t n, int64_t grain, lt_piece piece, void *context)
{
    if (grain < 1)
        grain = 1;
    int64_t pieces = (n + grain - 1) / grain;
    int64_t wanted = lt_threads() < pieces ? lt_threads() : pieces;
    if (wanted <= 1 || omp_in_parallel()) {
        for (int64_t i = 0; i < pieces; i++)
            piece(context, i * grain, (i + 1) * grain < n ? (i + 1) * grain : n);
        return;
    }
#pragma omp parallel for schedule(dynamic, 1) num_threads((int)wanted)
    for (int64_t i = 0; i < pieces; i++)
        piece(context, i * grain, (i + 1) * grain < n ? (i + 1) * grain : n);
}
