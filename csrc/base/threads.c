// A pool of workers that help, and are never waited for.
//
// The caller cuts its work into pieces and starts on them itself; workers that are awake take pieces too. When none are
// left the caller closes the job and waits only for workers that are inside a piece. One that the system has not let
// run (a laptop has other things to do) delays nobody, where a barrier of all threads, as OpenMP has, would wait for
// it.
//
// A worker enters a job by counting itself into `state` while the OPEN bit is set; the caller clears the bit and waits
// for the count to be zero before the job's fields may change.
//
// Several threads may have a Lua state each. One of them at a time is the caller of the pool; the others, meanwhile, do
// their work alone.
#include "base/threads.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/processor.h"
#include "base/settings.h"

enum { SPINS = 4000 }; // about 100 microseconds, longer than a script takes between two operations
#define OPEN 0x80000000u

static struct {
    // the job: written by the caller while state is 0, read by who is inside
    lt_piece piece;
    void *context;
    lt_settings *settings; // the caller's, which hold for all pieces
    int64_t n, grain;
    // what workers also look at before they enter
    _Atomic int64_t pieces, next;
    _Atomic int threads;    // workers from this number on keep out
    _Atomic uint32_t state; // OPEN, and the number of workers inside
    // waiting
    _Atomic int sleepers;
    pthread_mutex_t lock;
    pthread_cond_t work;
    // the pool
    pthread_mutex_t caller; // one job at a time; others run theirs in line
    int started;            // workers there are: of who holds `caller`
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .work = PTHREAD_COND_INITIALIZER, .caller = PTHREAD_MUTEX_INITIALIZER};

static pthread_mutex_t process = PTHREAD_MUTEX_INITIALIZER; // lt_process_lock
static atomic_int at_first = 1;                             // how many threads whoever has not said otherwise uses
// Each thread that has a Lua state asks for its own number, the caller included; 0: it has not asked yet. Scratch
// memory is measured by it: nobody else may change it while an operation runs.
static _Thread_local int wanted;
static _Thread_local int thread_index; // 0: a caller
static _Thread_local bool inside;

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void run_pieces(void)
{
    int64_t i;
    const int64_t pieces = atomic_load_explicit(&pool.pieces, memory_order_relaxed);
    while ((i = atomic_fetch_add(&pool.next, 1)) < pieces) {
        int64_t begin = i * pool.grain, end = begin + pool.grain;
        pool.piece(pool.context, begin, end < pool.n ? end : pool.n);
    }
}

static bool work_there(void)
{
    return (atomic_load(&pool.state) & OPEN) && atomic_load(&pool.next) < atomic_load(&pool.pieces) &&
           thread_index < atomic_load(&pool.threads);
}

static bool enter(void)
{
    uint32_t state = atomic_load(&pool.state);
    while (state & OPEN)
        if (atomic_compare_exchange_weak(&pool.state, &state, state + 1))
            return true;
    return false;
}

static void wait_for_work(void)
{
    for (int i = 0; i < SPINS; i++) {
        if (work_there())
            return;
        relax();
    }
    pthread_mutex_lock(&pool.lock);
    atomic_fetch_add(&pool.sleepers, 1);
    while (!work_there())
        pthread_cond_wait(&pool.work, &pool.lock);
    atomic_fetch_sub(&pool.sleepers, 1);
    pthread_mutex_unlock(&pool.lock);
}

static void *worker(void *number)
{
    thread_index = (int)(intptr_t)number;
    inside = true; // what a piece cuts again runs in line
    for (;;) {
        wait_for_work();
        if (!enter())
            continue;
        const int threads = atomic_load(&pool.threads);
        if (thread_index < threads) {
            wanted = threads;
            lt_settings_use(pool.settings);
            run_pieces();
        }
        atomic_fetch_sub(&pool.state, 1);
    }
    return NULL;
}

static void start_workers(int threads)
{
    while (pool.started + 1 < threads) {
        pthread_t id;
        pthread_attr_t detached;
        pthread_attr_init(&detached);
        pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
        int status = pthread_create(&id, &detached, worker, (void *)(intptr_t)(pool.started + 1));
        pthread_attr_destroy(&detached);
        if (status != 0)
            break; // fewer helpers then
        pool.started++;
    }
}

static void run_alone(int64_t n, int64_t grain, lt_piece piece, void *context)
{
    for (int64_t begin = 0; begin < n; begin += grain)
        piece(context, begin, n - begin > grain ? begin + grain : n);
}

static void run_together(int64_t n, int64_t grain, int64_t pieces, lt_piece piece, void *context)
{
    start_workers(lt_threads());
    pool.piece = piece;
    pool.context = context;
    pool.settings = lt_settings_now();
    pool.n = n;
    pool.grain = grain;
    atomic_store_explicit(&pool.pieces, pieces, memory_order_relaxed);
    atomic_store_explicit(&pool.threads, lt_threads(), memory_order_relaxed);
    atomic_store(&pool.next, 0);
    atomic_store(&pool.state, OPEN);
    if (atomic_load(&pool.sleepers) > 0) {
        pthread_mutex_lock(&pool.lock);
        pthread_cond_broadcast(&pool.work);
        pthread_mutex_unlock(&pool.lock);
    }
    run_pieces();
    atomic_fetch_and(&pool.state, ~OPEN);
    for (int spins = 0; atomic_load(&pool.state) != 0; spins++) {
        if (spins < SPINS)
            relax();
        else
            sched_yield(); // the worker may be waiting for this very processor
    }
}

void lt_parallel(int64_t n, int64_t grain, lt_piece piece, void *context)
{
    if (grain < 1)
        grain = 1;
    int64_t pieces = n / grain + (n % grain != 0);
    if (inside || pieces <= 1 || lt_threads() == 1) {
        run_alone(n, grain, piece, context);
        return;
    }
    inside = true;
    if (pthread_mutex_trylock(&pool.caller) == 0) {
        run_together(n, grain, pieces, piece, context);
        pthread_mutex_unlock(&pool.caller);
    } else // another Lua state has the pool
        run_alone(n, grain, piece, context);
    inside = false;
}

// After fork the child has none of the workers, and whatever was locked stays so: start afresh, alone.
static void only_one_left(void)
{
    process = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    pool.lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    pool.caller = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    pool.work = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
    atomic_store(&pool.state, 0);
    atomic_store(&pool.sleepers, 0);
    pool.started = 0;
    inside = false;
}

__attribute__((constructor)) static void notice_forks(void)
{
    pthread_atfork(NULL, NULL, only_one_left);
}

int lt_threads_init(const char *setting)
{
    int n = lt_processors();
    if (n > LT_MOST_THREADS)
        n = LT_MOST_THREADS;
    if (setting && *setting) {
        char *end;
        errno = 0;
        const long asked = strtol(setting, &end, 10);
        if (*end || errno || asked < 1 || asked > LT_MOST_THREADS)
            return lt_fail("expected an integer from 1 to %d, got '%.40s'", LT_MOST_THREADS, setting);
        n = (int)asked;
    }
    atomic_store(&at_first, n);
    return LT_OK;
}

int lt_threads(void)
{
    if (wanted == 0)
        wanted = atomic_load(&at_first);
    return wanted;
}

void lt_threads_set(int n)
{
    wanted = n;
}

void lt_process_lock(void)
{
    pthread_mutex_lock(&process);
}

void lt_process_unlock(void)
{
    pthread_mutex_unlock(&process);
}

int lt_thread_index(void)
{
    return thread_index;
}
