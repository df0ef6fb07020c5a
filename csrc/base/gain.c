#include "base/gain.h"

#include <limits.h>
#include <string.h>

// The first row that fits decides. An empty vendor is any; families are those of lt_processor.
static const struct {
    const char *isa, *vendor;
    int family_from, family_to;
    lt_gain gain;
} rows[] = {
    // 16 x 16 sums of 32 products an instruction. A Xeon of 2.6 GHz (family 6, model 143), two cores: convolutions and
    // linear layers 1500 to 3000 GF/s, 240 to 340 in float32; 4600 to 5000 at most, where float32 has 452.
    {"amx", "", 0, INT_MAX, {true, "AMX multiplies bfloat16 many times faster than float32"}},
    // Zen 4 (family 25) and Zen 5 (26) begin two vdpbf16ps a cycle, as they do FMAs, and each makes twice the
    // products (uops.info). Whole training steps on a Zen 5: 0.7 to 1.0 of float32's time.
    {"avx512bf16",
     "AuthenticAMD",
     25,
     INT_MAX,
     {true, "vdpbf16ps makes twice as many products a cycle here as FMA in float32"}},
    // Cooper Lake (model 85) and Sapphire Rapids and later (143, 207, 173) where AMX is not let through: vdpbf16ps
    // takes two micro-operations of one port (uops.info). Measured on two cores: 172 GF/s, 352 in float32; whole
    // steps took 1.0 to 1.5 times as long.
    {"avx512bf16",
     "GenuineIntel",
     0,
     INT_MAX,
     {false, "Intel's vdpbf16ps makes half as many products a second as FMA in float32"}},
    {"avx512bf16", "", 0, INT_MAX, {false, "nobody has measured vdpbf16ps on this maker's processors"}},
    // A bfmmla makes 16 products, FMA 4: the products of attention and of linear layers take 2.5 to 3.6 times fewer
    // instructions (counted under an emulator; nobody has timed them).
    {"neonbf16", "", 0, INT_MAX, {true, "bfmmla makes four times as many products as an FMA in float32"}},
    // Every other set has no such instructions: numbers would be rounded first and then multiplied as float32.
    {"", "", 0, INT_MAX, {false, "the instruction set in use cannot multiply bfloat16"}},
};

lt_gain lt_bf16_gain(const lt_processor *p, const char *isa)
{
    int i = 0;
    while ((*rows[i].isa && strcmp(rows[i].isa, isa) != 0) ||
           (*rows[i].vendor && strcmp(rows[i].vendor, p->vendor) != 0) || p->family < rows[i].family_from ||
           p->family > rows[i].family_to)
        i++;
    return rows[i].gain;
}

// Inputs are rounded once, (m + n) k numbers, about three instructions a vector; of the m n k multiply-adds half are
// saved, or more. The first is less than the second where m n / (m + n) is above 8 or so: not in products with a
// matrix of few rows, or with a vector.
bool lt_bf16_pays(int64_t m, int64_t n)
{
    return m * n >= 8 * (m + n);
}
