// What laterna runs on, and what it makes of it.
#include <cblas.h>
#include <stdio.h>

#include "base/processor.h"
#include "base/settings.h"
#include "base/threads.h"
#include "io/picture.h"
#include "kernel/kernel.h"
#include "lua/check.h"

static void set_string(lua_State *L, const char *key, const char *value)
{
    lua_pushstring(L, value); // NULL: nil
    lua_setfield(L, -2, key);
}

static void set_integer(lua_State *L, const char *key, int value)
{
    lua_pushinteger(L, value);
    lua_setfield(L, -2, key);
}

static void set_number(lua_State *L, const char *key, double value)
{
    lua_pushnumber(L, value);
    lua_setfield(L, -2, key);
}

// "OpenBLAS 0.3.21 Haswell": the first two words of its configuration, and the processor that it takes this one for.
// OpenBLAS writes the configuration into one place for all threads, at every call.
static void set_blas(lua_State *L)
{
    char name[64] = "OpenBLAS", version[64] = "";
    lt_process_lock();
    sscanf(openblas_get_config(), "%63s %63s", name, version);
    lt_process_unlock();
    lua_pushfstring(L, "%s %s %s", name, version, openblas_get_corename());
    lua_setfield(L, -2, "blas");
}

static void set_sets(lua_State *L)
{
    const char *names[LT_MOST_SETS];
    int n = lt_kernels_here(names);
    lua_createtable(L, n, 0);
    for (int i = 0; i < n; i++) {
        lua_pushstring(L, names[i]);
        lua_rawseti(L, -2, i + 1);
    }
    lua_setfield(L, -2, "isas");
}

// The precision that is set, what products make of it here, and whether bfloat16 is faster here at all.
static void set_precision(lua_State *L)
{
    static const char *const names[] = {
        [LT_PRECISION_FLOAT32] = "float32", [LT_PRECISION_BF16] = "bf16", [LT_PRECISION_ROUNDED] = "rounded"};
    const lt_precision_mode mode = lt_precision();
    set_string(L, "precision", names[mode]);
    set_string(L, "products", mode == LT_PRECISION_BF16 && !lt_k.bf16.faster ? "float32" : names[mode]);
    lua_createtable(L, 0, 2);
    lua_pushboolean(L, lt_k.bf16.faster);
    lua_setfield(L, -2, "faster");
    set_string(L, "reason", lt_k.bf16.reason);
    lua_setfield(L, -2, "bf16");
}

static void set_caches(lua_State *L)
{
    const lt_processor *p = lt_processor_here();
    const char *const names[] = {"l1", "l2", "l3"};
    const int64_t bytes[] = {p->l1, p->l2, p->l3};
    lua_createtable(L, 0, 3);
    for (int i = 0; i < 3; i++)
        if (bytes[i] > 0) {
            lua_pushinteger(L, bytes[i]);
            lua_setfield(L, -2, names[i]);
        }
    lua_setfield(L, -2, "caches");
}

static void set_formats(lua_State *L)
{
    lua_createtable(L, 4, 0);
    int n = 0;
    for (const char *const *name = lt_picture_formats(); *name; name++) {
        lua_pushstring(L, *name);
        lua_rawseti(L, -2, ++n);
    }
    lua_setfield(L, -2, "formats");
}

static void set_peak(lua_State *L)
{
    lt_peak peak;
    LT_TRY(L, lt_k.peak->measure(&peak));
    lua_createtable(L, 0, 3);
    set_number(L, "fp32", peak.fp32);
    if (peak.bf16 > 0)
        set_number(L, "bf16", peak.bf16);
    set_number(L, "memory", peak.memory);
    lua_setfield(L, -2, "peak");
}

/*** What laterna runs on.

Products and convolutions are its own; `blas` is the library that solves linear systems and finds eigenvalues
(`solve`, `inverse`, `logdet`, `lu`, `qr`, `eigh`).

`peak` is measured on request, on the threads in use, in about 0.3 s: fp32, GF/s of multiply-adds in float32 (two
operations each); bf16, the same of bfloat16 products where the instruction set in use has them; memory, GB/s read and
written in a sweep through arrays far larger than the caches.
@function info
@tparam[opt] table options peak (false): measure the machine
@treturn table isa (instruction set in use), isas (all that this processor runs, best first: LATERNA_ISA forces one),
threads (in use), cores (that this process may use), cpu (the processor's name, nil if unknown), caches (bytes of l1, l2
and l3 as one core sees them, where the system says), blas, precision (as lt.precision set it), products (what they are
computed in because of it: `"float32"`, `"bf16"` or `"rounded"`), bf16 (faster: is it here? reason: why), convolution,
formats (of pictures that this build reads: `"png"`, and `"jpeg"`, `"webp"`, `"gif"` where their libraries were found),
peak
@usage print(lt.info().isa, lt.info{ peak = true }.peak.fp32) */
static int info(lua_State *L)
{
    bool peak = false;
    char name[128];
    const lt_option options[] = {{"peak", LT_OPTION_BOOLEAN, &peak, 0, 0}, {NULL, 0, NULL, 0, 0}};
    lt_arg_options(L, 1, options);
    lua_createtable(L, 0, 13);
    set_string(L, "isa", lt_k.isa);
    set_sets(L);
    set_integer(L, "threads", lt_threads());
    set_integer(L, "cores", lt_processors());
    set_string(L, "cpu", lt_processor_name(name, sizeof name));
    set_blas(L);
    set_precision(L);
    set_caches(L);
    set_string(L, "convolution", lt_convolution() == LT_CONVOLUTION_DIRECT ? "direct" : "auto");
    set_formats(L);
    if (peak)
        set_peak(L);
    return 1;
}

void lt_open_info(lua_State *L)
{
    static const lt_function functions[] = {{"info", info, LT_IN_MODULE}, {NULL, NULL, 0}};
    lt_register(L, functions);
}
