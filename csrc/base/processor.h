// The processor that this process runs on.
#ifndef LT_BASE_PROCESSOR_H
#define LT_BASE_PROCESSOR_H

#include <stddef.h>
#include <stdint.h>

// Which model it is, by the x86 instruction cpuid, and its caches in bytes.
typedef struct {
    char vendor[16];    // "AuthenticAMD", "GenuineIntel"; "" where there is no cpuid
    int family, model;  // 0 likewise
    int64_t l1, l2, l3; // the first core's caches of data, and those that it shares; 0: not there, or nobody says
} lt_processor;

const lt_processor *lt_processor_here(void);        // read once a process
int lt_processors(void);                            // how many this process may use, at least 1
char *lt_processor_name(char *buffer, size_t size); // its maker's name for the model; NULL when nobody knows

#endif
