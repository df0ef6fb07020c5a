// The machine: memory, threads, terminal, Ctrl-C.
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/threads.h"
#include "lua/check.h"
#include "lua/interrupt.h"

/*** Bytes that tensors use: live, cached (freed, kept for reuse), peak (most live since the last reset), and the number
of blocks; of all Lua states of the process together.
@function memory
@tparam[opt=false] boolean reset start the peak again from here
@treturn table live, cached, peak, count; saved: how much of live is held for backward and in gradients */
static int memory(lua_State *L)
{
    bool reset = lt_arg_boolean_or(L, 1, "reset", false);
    lt_memory_stats m = lt_memory();
    if (reset)
        lt_memory_reset_peak();
    lua_createtable(L, 0, 5);
    lua_pushinteger(L, (lua_Integer)m.live);
    lua_setfield(L, -2, "live");
    lua_pushinteger(L, (lua_Integer)m.cached);
    lua_setfield(L, -2, "cached");
    lua_pushinteger(L, (lua_Integer)m.peak);
    lua_setfield(L, -2, "peak");
    lua_pushinteger(L, (lua_Integer)m.count);
    lua_setfield(L, -2, "count");
    lua_pushinteger(L, (lua_Integer)lt_tape_bytes());
    lua_setfield(L, -2, "saved");
    return 1;
}

/*** How many threads operations use; with a number, sets it. Results do not depend on it. At first it is what
LATERNA_THREADS says, or one for every processor that this process may use.

Where several Lua states live in threads of one process each has its own number. Helpers serve one state at a time; an
operation that finds them busy runs on its own thread alone.
@function threads
@tparam[opt] integer n 1 to 256
@treturn integer */
static int threads(lua_State *L)
{
    if (!lua_isnoneornil(L, 1))
        lt_threads_set((int)lt_arg_integer(L, 1, "n", 1, LT_MOST_THREADS));
    lua_pushinteger(L, lt_threads());
    return 1;
}

/*** Is a file descriptor a terminal? 0, 1, 2: standard input, output, error.
@function isatty
@tparam integer fd
@treturn boolean */
static int is_a_tty(lua_State *L)
{
    lua_pushboolean(L, isatty((int)lt_arg_integer(L, 1, "fd", 0, 1024)));
    return 1;
}

/*** Columns and rows of the terminal, nil when there is none.
@function terminal_size
@treturn[1] integer columns
@treturn[1] integer rows
@treturn[2] nil */
static int terminal_size(lua_State *L)
{
    struct winsize w = {0};
    for (int fd = 0; fd <= 2; fd++)
        if (ioctl(fd, TIOCGWINSZ, &w) == 0 && w.ws_col > 0) {
            lua_pushinteger(L, w.ws_col);
            lua_pushinteger(L, w.ws_row);
            return 2;
        }
    lua_pushnil(L);
    return 1;
}

/*** Seconds, with fractions, of a clock that never goes back; only differences mean something.
@function clock
@treturn number */
static int monotonic_clock(lua_State *L)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    lua_pushnumber(L, (double)t.tv_sec + 1e-9 * (double)t.tv_nsec);
    return 1;
}

/*** While on, the first Ctrl-C makes interrupted() true, so that a loop can save and stop. It holds for the coroutine
that calls, and those that it resumes.
@function catch_interrupt
@tparam boolean on
@tparam[opt] table options

  - notice: a line that is written to standard error at the first Ctrl-C, at once
  - raises (false): a second one raises "interrupted by Ctrl-C", as soon as the operation that runs is done (within
  backward, one of its operations); else it ends the process */
static int catch_interrupt(lua_State *L)
{
    if (!lua_isboolean(L, 1))
        return lt_bad_argument(L, 1, "on: expected boolean, got %s", lt_type_name(L, 1));
    const bool on = lua_toboolean(L, 1);
    const char *notice = NULL;
    bool raises = false;
    const lt_option options[] = {{"notice", LT_OPTION_STRING, &notice, 0, 0},
                                 {"raises", LT_OPTION_BOOLEAN, &raises, 0, 0},
                                 {NULL, 0, NULL, 0, 0}};
    lt_arg_options(L, 2, options);
    if (notice && strlen(notice) >= LT_NOTICE_ROOM)
        return lt_bad_argument(L, 2, "notice: expected at most %d bytes", LT_NOTICE_ROOM - 1);
    lt_interrupt_set(L, on, notice, raises);
    return 0;
}

/*** Was Ctrl-C pressed since catch_interrupt(true)?
@function interrupted
@treturn boolean */
static int interrupted(lua_State *L)
{
    lua_pushboolean(L, lt_interrupt_pressed());
    return 1;
}

/*** For tests: the n-th allocation of tensor memory from now fails once; 0 turns it off.
@function debug_fail_allocation
@tparam integer n */
static int debug_fail_allocation(lua_State *L)
{
    lt_memory_fail_at(lt_arg_integer(L, 1, "n", 0, INT64_MAX));
    return 0;
}

void lt_open_system(lua_State *L)
{
    static const lt_function functions[] = {
        {"memory", memory, LT_IN_MODULE},
        {"threads", threads, LT_IN_MODULE},
        {"isatty", is_a_tty, LT_IN_MODULE},
        {"terminal_size", terminal_size, LT_IN_MODULE},
        {"clock", monotonic_clock, LT_IN_MODULE},
        {"catch_interrupt", catch_interrupt, LT_IN_MODULE},
        {"interrupted", interrupted, LT_IN_MODULE},
        {"debug_fail_allocation", debug_fail_allocation, LT_IN_MODULE},
        {NULL, NULL, 0},
    };
    lt_register(L, functions);
}
