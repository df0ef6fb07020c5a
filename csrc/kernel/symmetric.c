// Symmetric products on the tiles of tile.h, on the calling thread: such matrices are small, and come in numbers. Of
// each stripe of rows, the panels from the diagonal on are computed.
#include "kernel/symmetric.h"

#include "kernel/isa.h"
#include "kernel/panel.h"

enum { STRIPE = 24 }; // a multiple of every tile height

static int64_t room(int64_t n, int64_t k)
{
    return lt_panel_room(n) * k;
}

static void pack(int64_t n, int64_t k, const float *b, int64_t ld, bool trans, float scale, float *packed)
{
    lt_pack_panels(b, ld, trans, k, n, scale, packed);
}

// What is above the diagonal to its place below.
static void mirror(int64_t n, float *c)
{
    for (int64_t i = 0; i < n; i += LT_LANES) {
        const int64_t rows = lt_min_i64(LT_LANES, n - i), next = i + rows;
        for (int64_t r = i; r < next; r++)
            for (int64_t j = r + 1; j < next; j++)
                c[j * n + r] = c[r * n + j];
        lt_transpose(c + i * n + next, n, rows, n - next, 1, c + next * n + i, n);
    }
}

static void product(int64_t n, int64_t k, const float *a, int64_t ld, const float *packed, float beta, float *c)
{
    const lt_panels b = {packed, k, n, k};
    for (int64_t i = 0; i < n; i += STRIPE)
        lt_rows_times_panels(a + i * ld, ld, lt_min_i64(STRIPE, n - i), &b, i / LT_NR_MAX * LT_NR_MAX, n, NULL, beta,
                             c + i * n, n);
    mirror(n, c);
}

const lt_symmetric_kernels LT_NAME(lt_symmetric) = {.room = room, .pack = pack, .product = product};
