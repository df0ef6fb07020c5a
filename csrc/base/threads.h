// The only way to more than one thread.
#ifndef LT_BASE_THREADS_H
#define LT_BASE_THREADS_H

#include <stdint.h>

// One piece of work: the half-open range [begin, end).
typedef void (*lt_piece)(void *context, int64_t begin, int64_t end);

// Cuts [0, n) into pieces of `grain` (the last may be shorter) and runs them on the threads there are. Where a
// piece starts never depends on the number of threads, so results do not either. Calls inside a piece run in line.
void lt_parallel(int64_t n, int64_t grain, lt_piece piece, void *context);

// The number with which every thread begins: what `setting` says, or the processors of this process where it is NULL or
// empty. LT_FAIL where it is no integer from 1 to LT_MOST_THREADS.
enum { LT_MOST_THREADS = 256 };
int lt_threads_init(const char *setting);

// How many threads the operations of the calling thread use, itself included.
int lt_threads(void);
void lt_threads_set(int n); // 1 to LT_MOST_THREADS

// A lock around what is of the whole process and seldom touched. What stands between the two raises nothing.
void lt_process_lock(void);
void lt_process_unlock(void);

// Index of the calling thread inside lt_parallel, from 0 to lt_threads() - 1: for scratch memory only.
int lt_thread_index(void);

#endif
