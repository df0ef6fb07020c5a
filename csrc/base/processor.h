// The processor that this process runs on.
#ifndef LT_BASE_PROCESSOR_H
#define LT_BASE_PROCESSOR_H

#include <stddef.h>

int lt_processors(void);                            // how many this process may use, at least 1
char *lt_processor_name(char *buffer, size_t size); // its maker's name for the model; NULL when nobody knows

#endif
