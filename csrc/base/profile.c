#include "base/profile.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/error.h"

// Names beyond MOST_ROWS, and what is nested deeper than MOST_DEEP, count for what encloses them.
enum { MOST_ROWS = 1000, SLOTS = 2048, MOST_DEEP = 32 };

_Thread_local bool lt_profiling;
static atomic_flag busy = ATOMIC_FLAG_INIT;
static lt_profile_row rows[MOST_ROWS];
static int row_count;
static uint16_t slots[SLOTS]; // hash table: indices of rows, 0: free
static int stack[MOST_DEEP], depth;
static double since;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// Time until now goes to what is on top.
static void charge(void)
{
    double t = now();
    rows[stack[depth < MOST_DEEP ? depth : MOST_DEEP - 1]].seconds += t - since;
    since = t;
}

// The row of a name, a new one where there is none.
static int row_of(const char *name, const char *suffix)
{
    char whole[sizeof rows->name];
    uint32_t hash = 2166136261u; // FNV-1a
    snprintf(whole, sizeof whole, "%s%s%s", name, *suffix ? " " : "", suffix);
    for (const char *c = whole; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    uint16_t *slot;
    for (;; hash++) {
        slot = &slots[hash % SLOTS];
        if (*slot == 0)
            break;
        if (strcmp(rows[*slot].name, whole) == 0)
            return *slot;
    }
    if (row_count == MOST_ROWS)
        return stack[depth < MOST_DEEP ? depth : MOST_DEEP - 1];
    *slot = (uint16_t)row_count;
    memcpy(rows[row_count].name, whole, sizeof whole);
    return row_count++;
}

int lt_profile_start(void)
{
    if (atomic_flag_test_and_set(&busy))
        return lt_fail("a profile is being taken already");
    memset(rows, 0, sizeof rows);
    memset(slots, 0, sizeof slots);
    row_count = 1;
    depth = 0;
    stack[0] = 0;
    since = now();
    lt_profiling = true;
    return LT_OK;
}

void lt_profile_enter(const char *name, const char *suffix)
{
    charge();
    int row = row_of(name, suffix);
    rows[row].calls++;
    if (++depth < MOST_DEEP)
        stack[depth] = row;
}

void lt_profile_leave(void)
{
    charge();
    if (depth > 0)
        depth--;
}

void lt_profile_leave_all(void)
{
    charge();
    depth = 0;
}

void lt_profile_stop(void)
{
    lt_profile_leave_all();
    lt_profiling = false;
    atomic_flag_clear(&busy);
}

const lt_profile_row *lt_profile_rows(int *count)
{
    *count = row_count;
    return rows;
}
