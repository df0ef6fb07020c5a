#include "base/profile.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/error.h"

_Thread_local bool lt_profiling;
static _Thread_local lt_profile *running; // what this thread writes to while lt_profiling

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// The row that time goes to.
static int top(void)
{
    return running->stack[running->depth < LT_PROFILE_DEEP ? running->depth : LT_PROFILE_DEEP - 1];
}

// Time until now goes to what is on top.
static void charge(void)
{
    double t = now();
    running->row[top()].seconds += t - running->since;
    running->since = t;
}

// The row of a name, a new one where there is none.
static int row_of(const char *name, const char *suffix)
{
    lt_profile *p = running;
    char whole[sizeof p->row->name];
    uint32_t hash = 2166136261u; // FNV-1a
    snprintf(whole, sizeof whole, "%s%s%s", name, *suffix ? " " : "", suffix);
    for (const char *c = whole; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    uint16_t *slot;
    for (;; hash++) {
        slot = &p->slot[hash % LT_PROFILE_SLOTS];
        if (*slot == 0)
            break;
        if (strcmp(p->row[*slot].name, whole) == 0)
            return *slot;
    }
    if (p->count == LT_PROFILE_ROWS)
        return top();
    *slot = (uint16_t)p->count;
    memcpy(p->row[p->count].name, whole, sizeof whole);
    return p->count++;
}

int lt_profile_start(lt_profile *p)
{
    if (lt_profiling)
        return lt_fail("a profile is being taken already");
    memset(p, 0, sizeof *p);
    p->count = 1;
    p->since = now();
    running = p;
    lt_profiling = true;
    return LT_OK;
}

void lt_profile_enter(const char *name, const char *suffix)
{
    charge();
    int row = row_of(name, suffix);
    running->row[row].calls++;
    if (++running->depth < LT_PROFILE_DEEP)
        running->stack[running->depth] = row;
}

void lt_profile_leave(void)
{
    charge();
    if (running->depth > 0)
        running->depth--;
}

void lt_profile_leave_all(void)
{
    charge();
    running->depth = 0;
}

void lt_profile_stop(void)
{
    lt_profile_leave_all();
    lt_profiling = false;
    running = NULL;
}
