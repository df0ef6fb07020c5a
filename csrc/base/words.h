// Words that somebody misspelt: which of the known ones was meant.
#ifndef LT_BASE_WORDS_H
#define LT_BASE_WORDS_H

// The place in words[0..n) of the one that is most like `word`, or -1 where none is like it. Alike are words that a
// slip or two turn into each other: a letter too many, too few or wrong, two neighbours swapped (Damerau 1964,
// https://doi.org/10.1145/363958.363994), one slip for every three letters. A letter of the other case is half a slip,
// and words that differ in nothing else are always alike. A word that only one known word begins with was cut short:
// that one was meant.
int lt_nearest_word(const char *word, int n, const char *const *words);

#endif
