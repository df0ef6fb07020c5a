// Reductions. The work horse is a slab: `rows` rows of `width` neighbouring columns, `stride` floats apart, reduced
// over the rows. Sums run in float for at most DEPTH steps and are then gathered in double. A large slab is cut into at
// most CHUNKS pieces that threads share; everything else is shared slab by slab.
#include "kernel/reduce.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>

#include "base/threads.h"
#include "kernel/extreme.h"
#include "kernel/isa.h"
#include "kernel/prod.h"
#include "kernel/simd.h"

enum { WIDTH = 256, DEPTH = 64, CHUNKS = 64, PIECE = 1 << 15 };

typedef enum { SUM, SUMSQ, CENTRED, PROD, PAIRS } kind;

#define INLINE static inline __attribute__((always_inline))

INLINE float step(kind k, float acc, float v, float with) // with: the mean, or the other factor
{
    switch (k) {
    case SUM:
        return acc + v;
    case SUMSQ:
        return acc + v * v;
    case CENTRED:
        return acc + (v - with) * (v - with);
    case PAIRS:
        return acc + v * with;
    default:
        return acc * v;
    }
}

INLINE int64_t depth(kind k) // products gather rounding fast: they are all in double
{
    return k == PROD ? 1 : DEPTH;
}

INLINE void join(kind k, int64_t n, int64_t width, const float *acc, double *total) // acc repeats every `width` columns
{
    for (int64_t i = 0; i < n; i += width)
        for (int64_t j = 0; j < width; j++)
            total[j] = k == PROD ? total[j] * (double)acc[i + j] : total[j] + (double)acc[i + j];
}

// One contiguous column, in `lanes` running sums that stay in registers: 64, or 16 where there is little to sum.
// with: the mean, or as many other factors.
INLINE void line(kind k, int lanes, int64_t n, const float *x, const float *with, double *total)
{
    const float mean = k == CENTRED ? *with : 0.0f;
    int64_t i = 0;
    while (n - i >= lanes) {
        float acc[64];
        const int64_t rows = (n - i) / lanes < depth(k) ? (n - i) / lanes : depth(k);
        for (int j = 0; j < lanes; j++)
            acc[j] = k == PROD ? 1.0f : 0.0f;
        for (int64_t r = 0; r < rows; r++, i += lanes)
            for (int j = 0; j < lanes; j++)
                acc[j] = step(k, acc[j], x[i + j], k == PAIRS ? with[i + j] : mean);
        join(k, lanes, 1, acc, total);
    }
    float rest = k == PROD ? 1.0f : 0.0f;
    for (; i < n; i++)
        rest = step(k, rest, x[i], k == PAIRS ? with[i] : mean);
    join(k, 1, 1, &rest, total);
}

// total[j] takes in rows x[r * stride + j], j < width <= WIDTH. Narrow contiguous rows are taken several at a time.
// with: the columns' means, or another array like x.
INLINE void slab(kind k, int64_t rows, int64_t width, int64_t stride, const float *x, const float *with, double *total)
{
    if (width == 1 && stride == 1) {
        if (rows < 1024)
            line(k, 16, rows, x, with, total);
        else
            line(k, 64, rows, x, with, total);
        return;
    }
    float acc[WIDTH], centre[WIDTH];
    int64_t together = stride == width ? WIDTH / width : 1;
    together = together < rows ? together : rows;
    for (int64_t r = 0; r < rows;) {
        if (rows - r < together)
            together = rows - r;
        const int64_t n = together * width, left = (rows - r) / together, steps = left < depth(k) ? left : depth(k);
        for (int64_t j = 0; j < n; j++) {
            acc[j] = k == PROD ? 1.0f : 0.0f;
            centre[j] = k == CENTRED ? with[j % width] : 0.0f;
        }
        for (int64_t s = 0; s < steps; s++, r += together) {
            const float *row = x + r * stride, *other = k == PAIRS ? with + r * stride : centre;
            for (int64_t j = 0; j < n; j++)
                acc[j] = step(k, acc[j], row[j], other[j]);
        }
        join(k, n, width, acc, total);
    }
}

typedef void (*slab_function)(int64_t rows, int64_t width, int64_t stride, const float *x, const float *with,
                              double *total);

#define SLAB(name, k)                                                                                                  \
    static void name(int64_t rows, int64_t width, int64_t stride, const float *x, const float *with, double *total)    \
    {                                                                                                                  \
        slab(k, rows, width, stride, x, with, total);                                                                  \
    }
SLAB(sum_slab, SUM)
SLAB(sumsq_slab, SUMSQ)
SLAB(centred_slab, CENTRED)
SLAB(prod_slab, PROD)
SLAB(pairs_slab, PAIRS)

typedef struct job job;
// A column's result from its total; x is where the column begins.
typedef double (*finish_function)(const job *j, const float *x, double total);

struct job {
    slab_function f;
    int product;
    finish_function finish;
    int64_t r, inner, blocks; // column blocks of WIDTH in `inner`
    const float *x;
    float *y; // for CENTRED it holds the means on entry
    double scale;
    int64_t chunk; // rows a piece, when one slab is cut
    double (*part)[WIDTH];
    int64_t at;         // the slab that is cut
    const float *other; // for PAIRS
};

static double scaled(const job *j, const float *x, double total)
{
    return total * j->scale;
}

// Squares are summed in float first. Where one of them left the range of float, or what was lost below it may count,
// the column is done again in double: rare, and then right. `total` is of r squares.
static bool in_range(const job *j, double total)
{
    return total >= (double)j->r * 0x1p-120 && total <= DBL_MAX;
}

static double column_sum(const job *j, const float *x)
{
    double sum = 0;
    for (int64_t r = 0; r < j->r; r++)
        sum += (double)x[r * j->inner];
    return sum;
}

static double column_squares(const job *j, const float *x, double mean)
{
    double sum = 0;
    for (int64_t r = 0; r < j->r; r++) {
        const double d = (double)x[r * j->inner] - mean;
        sum += d * d;
    }
    return sum;
}

static double length(const job *j, const float *x, double total)
{
    return sqrt(in_range(j, total) ? total : column_squares(j, x, 0));
}

static double variance(const job *j, const float *x, double total)
{
    if (!in_range(j, total))
        total = column_squares(j, x, column_sum(j, x) * j->scale);
    return total * j->scale;
}

static const float *with(const job *j, const float *x, const float *y) // what goes with the rows from x on
{
    return j->other ? j->other + (x - j->x) : y;
}

static void slab_place(const job *j, int64_t i, const float **x, float **y, int64_t *width)
{
    const int64_t o = i / j->blocks, column = i % j->blocks * WIDTH;
    *x = j->x + o * j->r * j->inner + column;
    *y = j->y + o * j->inner + column;
    *width = j->inner - column < WIDTH ? j->inner - column : WIDTH;
}

static void slabs_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    double total[WIDTH];
    for (int64_t i = begin; i < end; i++) {
        const float *x;
        float *y;
        int64_t width;
        slab_place(j, i, &x, &y, &width);
        for (int64_t c = 0; c < width; c++)
            total[c] = j->product;
        j->f(j->r, width, j->inner, x, with(j, x, y), total);
        for (int64_t c = 0; c < width; c++)
            y[c] = (float)j->finish(j, x + c, total[c]);
    }
}

static void chunks_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const float *x;
    float *y;
    int64_t width;
    slab_place(j, j->at, &x, &y, &width);
    for (int64_t i = begin; i < end; i++) {
        const int64_t first = i * j->chunk, rows = j->r - first < j->chunk ? j->r - first : j->chunk;
        for (int64_t c = 0; c < width; c++)
            j->part[i][c] = j->product;
        const float *from = x + first * j->inner;
        j->f(rows, width, j->inner, from, with(j, from, y), j->part[i]);
    }
}

static void cut_slab(job *j)
{
    double part[CHUNKS][WIDTH];
    const int64_t pieces = (j->r + j->chunk - 1) / j->chunk;
    j->part = part;
    lt_parallel(pieces, 1, chunks_piece, j);
    const float *x;
    float *y;
    int64_t width;
    slab_place(j, j->at, &x, &y, &width);
    for (int64_t c = 0; c < width; c++) {
        double total = part[0][c];
        for (int64_t i = 1; i < pieces; i++)
            total = j->product ? total * part[i][c] : total + part[i][c];
        y[c] = (float)j->finish(j, x + c, total);
    }
}

static void reduce(job j, int64_t outer)
{
    const int64_t r = j.r, inner = j.inner;
    if (outer == 0 || inner == 0)
        return;
    j.blocks = (inner + WIDTH - 1) / WIDTH;
    const int64_t width = inner < WIDTH ? inner : WIDTH, slabs = outer * j.blocks;
    if (r <= 2 * PIECE / width) {
        lt_parallel(slabs, PIECE / (r * width + 1) + 1, slabs_piece, &j);
        return;
    }
    j.chunk = PIECE / width > r / CHUNKS + 1 ? PIECE / width : r / CHUNKS + 1;
    for (j.at = 0; j.at < slabs; j.at++)
        cut_slab(&j);
}

static void sum(int64_t outer, int64_t r, int64_t inner, const float *x, float *y)
{
    reduce((job){.f = sum_slab, .finish = scaled, .r = r, .inner = inner, .x = x, .y = y, .scale = 1}, outer);
}

static void norm(int64_t outer, int64_t r, int64_t inner, const float *x, float *y)
{
    reduce((job){.f = sumsq_slab, .finish = length, .r = r, .inner = inner, .x = x, .y = y}, outer);
}

static void sum_products(int64_t outer, int64_t r, int64_t inner, const float *a, const float *b, float *y)
{
    reduce((job){.f = pairs_slab, .finish = scaled, .r = r, .inner = inner, .x = a, .y = y, .scale = 1, .other = b},
           outer);
}

static void prod(int64_t outer, int64_t r, int64_t inner, const float *x, float *y)
{
    reduce((job){.f = prod_slab, .product = 1, .finish = scaled, .r = r, .inner = inner, .x = x, .y = y, .scale = 1},
           outer);
}

static void var(int64_t outer, int64_t r, int64_t inner, const float *x, float *y)
{
    job j = {.f = sum_slab, .finish = scaled, .r = r, .inner = inner, .x = x, .y = y, .scale = 1.0 / (double)r};
    reduce(j, outer); // the means, which the second pass takes from y
    j.f = centred_slab;
    j.finish = variance;
    reduce(j, outer);
}

// ---- running sums, and the product of two vectors
// ---------------------------------------------------------------------

static void cumsum_piece(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    double total[WIDTH];
    for (int64_t i = begin; i < end; i++) {
        const int64_t o = i / j->blocks, column = i % j->blocks * WIDTH, at = o * j->r * j->inner + column;
        const int64_t width = j->inner - column < WIDTH ? j->inner - column : WIDTH;
        memset(total, 0, sizeof total);
        for (int64_t r = 0; r < j->r; r++)
            for (int64_t c = 0; c < width; c++) {
                total[c] += (double)j->x[at + r * j->inner + c];
                j->y[at + r * j->inner + c] = (float)total[c];
            }
    }
}

static void cumsum(int64_t outer, int64_t r, int64_t inner, const float *x, float *y)
{
    job j = {.r = r, .inner = inner, .blocks = (inner + WIDTH - 1) / WIDTH, .x = x, .y = y};
    const int64_t width = inner < WIDTH ? inner : WIDTH;
    lt_parallel(outer * j.blocks, PIECE / (r * width + 1) + 1, cumsum_piece, &j);
}

typedef struct {
    int64_t n, chunk;
    const float *a, *b;
    double *part;
} dot_job;

static void dot_piece(void *context, int64_t begin, int64_t end)
{
    enum { LANES = 16 };
    const dot_job *j = context;
    for (int64_t p = begin; p < end; p++) {
        const int64_t last = (p + 1) * j->chunk < j->n ? (p + 1) * j->chunk : j->n;
        double lane[LANES] = {0}, total = 0;
        int64_t i = p * j->chunk;
        for (; i + LANES <= last; i += LANES)
            for (int l = 0; l < LANES; l++)
                lane[l] += (double)j->a[i + l] * (double)j->b[i + l];
        for (; i < last; i++)
            total += (double)j->a[i] * (double)j->b[i];
        for (int l = 0; l < LANES; l++)
            total += lane[l];
        j->part[p] = total;
    }
}

static double dot(int64_t n, const float *a, const float *b)
{
    double part[CHUNKS], total = 0;
    const int64_t chunk = PIECE > n / CHUNKS + 1 ? PIECE : n / CHUNKS + 1, pieces = (n + chunk - 1) / chunk;
    dot_job j = {n, chunk, a, b, part};
    lt_parallel(pieces, 1, dot_piece, &j);
    for (int64_t i = 0; i < pieces; i++)
        total += part[i];
    return total;
}

const lt_reduce_kernels LT_NAME(lt_reduce) = {
    .sum = sum,
    .norm = norm,
    .sum_products = sum_products,
    .prod = prod,
    .prod_others = LT_NAME(lt_prod_others),
    .max = LT_NAME(lt_extreme_max),
    .min = LT_NAME(lt_extreme_min),
    .var = var,
    .cumsum = cumsum,
    .dot = dot,
};
