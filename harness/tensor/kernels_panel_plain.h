/* What the products by panels compute (kernels.h); of kernels_plain.c. */
static void panel_mul(float *out, int ld_out, const float *x, int ld_x, int m, const float *panel,
                      int ld_panel, int n, int k, float scale, bool add)
{
    for (int l = 0; l < k; l += PANEL_DEPTH) {
        int end = k - l < PANEL_DEPTH ? k : l + PANEL_DEPTH;
        for (int i = 0; i < m; i++)
            for (int j = 0; j < n; j++) {
                float *to = out + (long)i * ld_out + j, sum = 0;
                for (int h = l; h < end; h++)
                    sum += x[(long)i * ld_x + h] * panel[(long)h * ld_panel + j];
                *to = add || l > 0 ? *to + sum * scale : sum * scale;
            }
    }
}

static void panel_pack(float *panel, const float *rows, int ld, int n, int k)
{
    for (int l = 0; l < k; l++)
        for (int j = 0; j < PANEL_WIDTH; j++)
            panel[(long)l * PANEL_WIDTH + j] = j < n ? rows[(long)j * ld + l] : 0;
}
