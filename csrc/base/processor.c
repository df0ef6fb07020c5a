#define _GNU_SOURCE
#include "base/processor.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#ifdef __APPLE__
#include <sys/sysctl.h>
#endif

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
