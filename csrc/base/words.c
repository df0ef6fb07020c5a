#include "base/words.h"

#include <ctype.h>
#include <string.h>

enum { LONGEST = 63, SLIP = 2, FAR = 1 << 20 };

static int lower(char c)
{
    return tolower((unsigned char)c);
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

// Does b begin with a, whatever the case of the letters?
static int begins(const char *a, const char *b)
{
    while (*a && lower(*a) == lower(*b))
        a++, b++;
    return !*a;
}

// Row i of the table holds the distances of a's first i letters from b's first j: only three rows are needed.
static int distance(const char *a, const char *b)
{
    const int n = (int)strlen(a), m = (int)strlen(b);
    if (n == m && begins(a, b))
        return strcmp(a, b) == 0 ? 0 : 1;
    int rows[3][LONGEST + 1];
    if (n > LONGEST || m > LONGEST)
        return FAR;
    for (int j = 0; j <= m; j++)
        rows[0][j] = SLIP * j;
    for (int i = 1; i <= n; i++) {
        int *row = rows[i % 3], *above = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
        row[0] = SLIP * i;
        for (int j = 1; j <= m; j++) {
            const int other = a[i - 1] == b[j - 1] ? 0 : lower(a[i - 1]) == lower(b[j - 1]) ? 1 : SLIP;
            row[j] = least(above[j - 1] + other, least(above[j], row[j - 1]) + SLIP);
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]))
                row[j] = least(row[j], before[j - 2] + SLIP);
        }
    }
    return rows[n % 3][m];
}

int lt_nearest_word(const char *word, int n, const char *const *words)
{
    const int length = (int)strlen(word);
    const int most = length < 3 ? SLIP - 1 : SLIP * (length < 6 ? 1 : length < 9 ? 2 : 3);
    int best = FAR, found = -1, longer = -1, count = 0;
    for (int i = 0; i < n; i++) {
        const int d = distance(word, words[i]);
        if (d < best || (d == best && found >= 0 && strcmp(words[i], words[found]) < 0)) {
            best = d;
            found = i;
        }
        if (length >= 3 && begins(word, words[i])) {
            longer = i;
            count++;
        }
    }
    return best <= most ? found : count == 1 ? longer : -1;
}
