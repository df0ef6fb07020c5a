// Several Lua states in threads of one process: `many_states SCRIPT THREADS ROUNDS`.
//
// SCRIPT is called with a number and returns a string that tells all that it computed. Each number is first run alone;
// then THREADS threads run at once, each of which opens a state, runs a number, closes the state, and goes on to the
// next number, ROUNDS times. What another state does must not show: every string has to be as it was.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

enum { MOST = 64 };

static const char *script;
static int threads, rounds;
static char *expected[MOST]; // by number; filled before any thread is started

// What the script returns in a state of its own, to be freed; NULL after an error, which is printed.
static char *run(int number)
{
    char *result = NULL;
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    int status = luaL_loadfile(L, script);
    if (status == LUA_OK) {
        lua_pushinteger(L, number);
        status = lua_pcall(L, 1, 1, 0);
    }
    if (status != LUA_OK || !lua_isstring(L, -1))
        fprintf(stderr, "state %d: %s\n", number, luaL_tolstring(L, -1, NULL));
    else
        result = strdup(lua_tostring(L, -1));
    lua_close(L);
    return result;
}

// Returns how many of this thread's runs were not as expected.
static void *work(void *first)
{
    long wrong = 0;
    for (int i = 0; i < rounds; i++) {
        const int number = ((int)(long)first + i) % threads;
        char *result = run(number);
        if (!result || strcmp(result, expected[number]) != 0) {
            wrong++;
            fprintf(stderr, "state %d alone:\n%s\nbeside others:\n%s\n", number, expected[number],
                    result ? result : "");
        }
        free(result);
    }
    return (void *)wrong;
}

int main(int argc, char **argv)
{
    pthread_t id[MOST];
    long wrong = 0;
    if (argc != 4)
        return 2;
    script = argv[1];
    threads = atoi(argv[2]);
    rounds = atoi(argv[3]);
    if (threads < 1 || threads > MOST || rounds < 1)
        return 2;
    for (int i = 0; i < threads; i++)
        if (!(expected[i] = run(i)))
            return 1;
    for (long i = 0; i < threads; i++)
        if (pthread_create(&id[i], NULL, work, (void *)i) != 0)
            return 2;
    for (int i = 0; i < threads; i++) {
        void *result;
        pthread_join(id[i], &result);
        wrong += (long)result;
    }
    for (int i = 0; i < threads; i++)
        free(expected[i]);
    printf("%d states, %d wrong\n", threads * rounds, (int)wrong);
    return wrong != 0;
}
