/*
 * Products by panels (kernels.h), over the vectors of kernels_simd.h. A tile of the result stays in
 * registers while x is spread number by number over the panel's rows. The level says how many rows
 * of x it has (PANEL_ROWS) and how many vectors wide it is (PANEL_VECS); the sums are the same.
 */
#ifdef __clang__
#define UNROLL_ROWS
#else
#define UNROLL_ROWS _Pragma("GCC unroll 16")
#endif

/* m rows of x, nv vectors of columns; or one vector, where it is part, of `last` columns. */
static inline __attribute__((always_inline)) void
panel_tile(float *out, int ld_out, const float *x, int ld_x, const int m, const float *panel,
           int ld_panel, const int nv, const bool part, int last, int k, float scale, bool add)
{
    vec acc[PANEL_ROWS][PANEL_VECS], by = v_set1(scale);
    UNROLL_ROWS for (int i = 0; i < m; i++) UNROLL for (int j = 0; j < nv; j++) acc[i][j] =
        v_zero();
    for (int l = 0; l < k; l++, panel += ld_panel) {
        vec w[PANEL_VECS];
        UNROLL for (int j = 0; j < nv; j++) w[j] =
            part ? v_load_part(panel + j * LANES, last) : v_load(panel + j * LANES);
        UNROLL_ROWS for (int i = 0; i < m; i++)
        {
            vec xv = v_set1(x[(long)i * ld_x + l]);
            UNROLL for (int j = 0; j < nv; j++) acc[i][j] = v_fma(xv, w[j], acc[i][j]);
        }
    }
    UNROLL_ROWS for (int i = 0; i < m; i++) UNROLL for (int j = 0; j < nv; j++)
    {
        float *to = out + (long)i * ld_out + j * LANES;
        vec sum = v_mul(acc[i][j], by);
        if (part)
            v_store_part(to, add ? v_add(v_load_part(to, last), sum) : sum, last);
        else
            v_store(to, add ? v_add(v_load(to), sum) : sum);
    }
}

/* A tile of m rows: all columns. */
static inline __attribute__((always_inline)) void panel_rows(float *out, int ld_out, const float *x,
                                                             int ld_x, const int m,
                                                             const float *panel, int ld_panel,
                                                             int n, int k, float scale, bool add)
{
    int j = 0;
    for (; j + PANEL_VECS * LANES <= n; j += PANEL_VECS * LANES)
        panel_tile(out + j, ld_out, x, ld_x, m, panel + j, ld_panel, PANEL_VECS, false, LANES, k,
                   scale, add);
    for (; PANEL_VECS > 1 && j + LANES <= n; j += LANES)
        panel_tile(out + j, ld_out, x, ld_x, m, panel + j, ld_panel, 1, false, LANES, k, scale,
                   add);
    if (j < n)
        panel_tile(out + j, ld_out, x, ld_x, m, panel + j, ld_panel, 1, true, n - j, k, scale, add);
}

static void panel_block(float *out, int ld_out, const float *x, int ld_x, int m, const float *panel,
                        int ld_panel, int n, int k, float scale, bool add)
{
#define TILES_OF(rows)                                                                             \
    for (; m >= (rows); m -= (rows), out += (long)(rows)*ld_out, x += (long)(rows)*ld_x)           \
    panel_rows(out, ld_out, x, ld_x, rows, panel, ld_panel, n, k, scale, add)
    TILES_OF(PANEL_ROWS);
    TILES_OF(4);
    TILES_OF(2);
    TILES_OF(1);
#undef TILES_OF
}

static void panel_mul(float *out, int ld_out, const float *x, int ld_x, int m, const float *panel,
                      int ld_panel, int n, int k, float scale, bool add)
{
    for (int l = 0; l < k; l += PANEL_DEPTH)
        panel_block(out, ld_out, x + l, ld_x, m, panel + (long)l * ld_panel, ld_panel, n,
                    k - l < PANEL_DEPTH ? k - l : PANEL_DEPTH, scale, add || l > 0);
}

/* Four rows from each of four columns. */
static inline void turn4(float *to, const float *rows, int ld)
{
    __m128 a = _mm_loadu_ps(rows), b = _mm_loadu_ps(rows + ld);
    __m128 c = _mm_loadu_ps(rows + 2L * ld), d = _mm_loadu_ps(rows + 3L * ld);
    _MM_TRANSPOSE4_PS(a, b, c, d);
    _mm_storeu_ps(to, a);
    _mm_storeu_ps(to + PANEL_WIDTH, b);
    _mm_storeu_ps(to + 2 * PANEL_WIDTH, c);
    _mm_storeu_ps(to + 3 * PANEL_WIDTH, d);
}

static void panel_pack(float *panel, const float *rows, int ld, int n, int k)
{
    int l = 0;
    for (; l + 4 <= k; l += 4) {
        float *to = panel + (long)l * PANEL_WIDTH;
        int j = 0;
        for (; j + 4 <= n; j += 4)
            turn4(to + j, rows + (long)j * ld + l, ld);
        for (; j < PANEL_WIDTH; j++)
            for (int i = 0; i < 4; i++)
                to[i * PANEL_WIDTH + j] = j < n ? rows[(long)j * ld + l + i] : 0;
    }
    for (; l < k; l++)
        for (int j = 0; j < PANEL_WIDTH; j++)
            panel[(long)l * PANEL_WIDTH + j] = j < n ? rows[(long)j * ld + l] : 0;
}
