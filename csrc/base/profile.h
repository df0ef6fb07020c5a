// Time and calls by name, while somebody asks. Time is exclusive: what a name encloses counts for the inner name alone,
// so that all of it adds up to the whole. Of one thread: others are not seen, whatever they do, and may take their own.
#ifndef LT_BASE_PROFILE_H
#define LT_BASE_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

extern _Thread_local bool lt_profiling; // test it before calling lt_profile_enter or _leave

// Names beyond LT_PROFILE_ROWS, and what is nested deeper than LT_PROFILE_DEEP, count for what encloses them.
enum { LT_PROFILE_ROWS = 1000, LT_PROFILE_SLOTS = 2048, LT_PROFILE_DEEP = 32 };

typedef struct {
    char name[48];
    int64_t calls;
    double seconds;
} lt_profile_row;

typedef struct {
    lt_profile_row row[LT_PROFILE_ROWS]; // row 0 is the outside: no name, no calls
    int count;
    uint16_t slot[LT_PROFILE_SLOTS]; // hash table: indices of rows, 0: free
    int stack[LT_PROFILE_DEEP], depth;
    double since;
} lt_profile;

int lt_profile_start(lt_profile *p); // fills p until lt_profile_stop; LT_FAIL: this thread is at it already
void lt_profile_enter(const char *name, const char *suffix); // from now on time is of "name suffix"; suffix may be ""
void lt_profile_leave(void);                                 // and now again of what was before
void lt_profile_leave_all(void);                             // of nothing: the outside
void lt_profile_stop(void);

#endif
