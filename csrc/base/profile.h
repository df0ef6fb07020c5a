// Time and calls by name, while somebody asks. Time is exclusive: what a name encloses counts for the inner name alone,
// so that all of it adds up to the whole. Of one thread: others are not seen, whatever they do.
#ifndef LT_BASE_PROFILE_H
#define LT_BASE_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

extern _Thread_local bool lt_profiling; // test it before calling lt_profile_enter or _leave

int lt_profile_start(void);                                  // LT_FAIL: some thread is at it already
void lt_profile_enter(const char *name, const char *suffix); // from now on time is of "name suffix"; suffix may be ""
void lt_profile_leave(void);                                 // and now again of what was before
void lt_profile_leave_all(void);                             // of nothing: the outside
void lt_profile_stop(void);

// What the last run gathered, until the next start. Row 0 is the outside: no name, no calls.
typedef struct {
    char name[48];
    int64_t calls;
    double seconds;
} lt_profile_row;

const lt_profile_row *lt_profile_rows(int *count);

#endif
