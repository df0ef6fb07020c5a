#define _GNU_SOURCE
#include "base/processor.h"

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif
#ifdef __APPLE__
#include <sys/sysctl.h>
#endif

// The maker numbers families above 15 and models above 15 in two parts each (Intel's manual, volume 2, CPUID).
static void read_model(lt_processor *p)
{
#if defined(__x86_64__)
    unsigned eax, ebx, ecx, edx;
    if (!__get_cpuid(0, &eax, &ebx, &ecx, &edx))
        return;
    memcpy(p->vendor, &ebx, 4);
    memcpy(p->vendor + 4, &edx, 4);
    memcpy(p->vendor + 8, &ecx, 4);
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx))
        return;
    const int family = eax >> 8 & 15;
    p->family = family == 15 ? family + (int)(eax >> 20 & 255) : family;
    p->model = (int)(eax >> 4 & 15) + (family == 6 || family == 15 ? (int)(eax >> 16 & 15) << 4 : 0);
#else
    (void)p;
#endif
}

static void set_cache(lt_processor *p, int level, int64_t bytes)
{
    int64_t *const caches[] = {&p->l1, &p->l2, &p->l3};
    if (level >= 1 && level <= 3 && bytes > 0)
        *caches[level - 1] = bytes;
}

#ifdef __APPLE__
static void read_caches(lt_processor *p)
{
    // perflevel0 are the fast cores, where there are two kinds.
    static const char *const names[] = {"hw.l1dcachesize", "hw.perflevel0.l1dcachesize", "hw.l2cachesize",
                                        "hw.perflevel0.l2cachesize", "hw.l3cachesize"};
    static const int levels[] = {1, 1, 2, 2, 3};
    for (int i = 0; i < 5; i++) {
        int64_t bytes = 0;
        size_t size = sizeof bytes;
        if (sysctlbyname(names[i], &bytes, &size, NULL, 0) == 0)
            set_cache(p, levels[i], bytes);
    }
}
#else
// One file of a cache of the first core, at most 31 characters of it: false when it is not there.
static bool read_cache_file(int index, const char *name, char text[32])
{
    char path[96];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/%s", index, name);
    FILE *file = fopen(path, "r");
    const bool fine = file && fgets(text, 32, file);
    if (file)
        fclose(file);
    return fine;
}

static void read_caches(lt_processor *p)
{
    char level[32], kind[32], size[32], unit = 0;
    for (int i = 0; read_cache_file(i, "level", level) && read_cache_file(i, "type", kind); i++) {
        long long count = 0;
        if (!strncmp(kind, "Instruction", 11) || !read_cache_file(i, "size", size) ||
            sscanf(size, "%lld%c", &count, &unit) < 1)
            continue;
        set_cache(p, level[0] - '0', count * (unit == 'K' ? 1 << 10 : unit == 'M' ? 1 << 20 : 1));
    }
#ifdef _SC_LEVEL1_DCACHE_SIZE // glibc's own reading, where the system has no such files
    if (p->l1 == 0) {
        set_cache(p, 1, sysconf(_SC_LEVEL1_DCACHE_SIZE));
        set_cache(p, 2, sysconf(_SC_LEVEL2_CACHE_SIZE));
        set_cache(p, 3, sysconf(_SC_LEVEL3_CACHE_SIZE));
    }
#endif
}
#endif

static lt_processor here;

static void read_here(void)
{
    read_model(&here);
    read_caches(&here);
}

const lt_processor *lt_processor_here(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, read_here);
    return &here;
}

int lt_processors(void)
{
    long n = 0;
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        n = CPU_COUNT(&set);
#endif
    if (n < 1)
        n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : (int)n;
}

char *lt_processor_name(char *buffer, size_t size)
{
#ifdef __APPLE__
    return sysctlbyname("machdep.cpu.brand_string", buffer, &size, NULL, 0) == 0 ? buffer : NULL;
#else
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[256], *name = NULL;
    while (file && !name && fgets(line, sizeof line, file)) {
        char *colon = strstr(line, ": ");
        if (!colon || strncmp(line, "model name", 10) != 0)
            continue;
        colon[strcspn(colon, "\n")] = '\0';
        snprintf(buffer, size, "%s", colon + 2);
        name = buffer;
    }
    if (file)
        fclose(file);
    return name;
#endif
}
