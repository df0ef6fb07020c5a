// Ctrl-C. Signals belong to the process; what becomes of one is said by whoever catches them: the first is a wish, and
// a line of text says at once that it was heard. The second kills, or it stops what is running.
#ifndef LT_BASE_INTERRUPT_H
#define LT_BASE_INTERRUPT_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

typedef struct lt_interrupt_ways {
    const char *notice;   // written to standard error at the first Ctrl-C; NULL: nothing
    void (*stop)(void *); // called at the second one, in the signal handler; NULL: it ends the process
    void *context;        // of stop
    struct lt_interrupt_ways *next;
    pthread_t owner; // who catches: the one to be stopped
} lt_interrupt_ways;

// Counted up where every thread has to look again at what holds for it: it notes the count when it has.
extern _Atomic unsigned lt_changes;

// The present thread's work is to end with an error, as soon as it can. Whoever raises that error clears it.
extern _Thread_local volatile sig_atomic_t lt_stop_wanted;

// From now on Ctrl-C is caught for this thread, in these ways, which stay where they are; nothing when it is already.
void lt_interrupt_catch(lt_interrupt_ways *ways);
// No longer; when nobody catches it, it does again what it did before.
void lt_interrupt_release(lt_interrupt_ways *ways);
bool lt_interrupt_pressed(void); // since it was forgotten last
void lt_interrupt_forget(void);  // nothing while it is caught

#endif
