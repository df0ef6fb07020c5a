#include "base/interrupt.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

_Atomic unsigned lt_changes;
_Thread_local volatile sig_atomic_t lt_stop_wanted;

static atomic_int presses;
static atomic_bool gave_up;                              // the handler has put the system's own in its place
static lt_interrupt_ways *_Atomic innermost;             // the ways of who caught it last; NULL: nobody does
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; // of the list, and of what follows
static struct sigaction before;

static void write_notice(const char *text)
{
    if (text && write(STDERR_FILENO, text, strlen(text)) < 0)
        errno = 0; // there is nobody to tell
}

// A signal that came to another thread than the one to be stopped is passed on.
static void on_interrupt(int number)
{
    const int kept = errno;
    const lt_interrupt_ways *w = atomic_load(&innermost);
    if (w && !pthread_equal(pthread_self(), w->owner))
        pthread_kill(w->owner, number);
    else if (w) {
        const bool first = atomic_fetch_add(&presses, 1) == 0;
        if (first)
            write_notice(w->notice);
        if (!w->stop) {
            atomic_store(&gave_up, true);
            signal(number, SIG_DFL);
        } else if (!first) {
            lt_stop_wanted = 1;
            atomic_fetch_add(&lt_changes, 1);
            w->stop(w->context);
        }
    }
    errno = kept;
}

// A prompt may have put a handler of its own in the place of ours.
static bool is_ours(void)
{
    struct sigaction now;
    sigaction(SIGINT, NULL, &now);
    return now.sa_handler == on_interrupt || (now.sa_handler == SIG_DFL && atomic_load(&gave_up));
}

static lt_interrupt_ways *unlink_ways(lt_interrupt_ways *list, const lt_interrupt_ways *w)
{
    if (list == w)
        return list->next;
    for (lt_interrupt_ways *i = list; i; i = i->next)
        if (i->next == w)
            i->next = w->next;
    return list;
}

void lt_interrupt_catch(lt_interrupt_ways *w)
{
    pthread_mutex_lock(&lock);
    lt_interrupt_ways *others = unlink_ways(atomic_load(&innermost), w);
    const bool there = atomic_load(&innermost) && is_ours();
    w->next = others;
    w->owner = pthread_self();
    atomic_store(&innermost, w);
    if (!there) {
        struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART};
        sigemptyset(&action.sa_mask);
        atomic_store(&gave_up, false);
        sigaction(SIGINT, &action, &before);
    }
    pthread_mutex_unlock(&lock);
}

void lt_interrupt_release(lt_interrupt_ways *w)
{
    pthread_mutex_lock(&lock);
    lt_interrupt_ways *others = unlink_ways(atomic_load(&innermost), w);
    if (!others && is_ours())
        sigaction(SIGINT, &before, NULL);
    atomic_store(&innermost, others);
    pthread_mutex_unlock(&lock);
}

bool lt_interrupt_pressed(void)
{
    return atomic_load(&presses) > 0;
}

void lt_interrupt_forget(void)
{
    if (!atomic_load(&innermost))
        atomic_store(&presses, 0);
}
