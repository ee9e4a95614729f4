#include "runner/build_info.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "build_info.inc"
#include "harness/tensor/gemm.h"

static void cpu_name(char *out, size_t n)
{
    FILE *f = fopen("/proc/cpuinfo", "r");
    char line[256];
    snprintf(out, n, "unknown");
    if (!f)
        return;
    while (fgets(line, sizeof line, f)) {
        char *colon = strchr(line, ':');
        if (colon && !strncmp(line, "model name", 10)) {
            snprintf(out, n, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
            break;
        }
    }
    fclose(f);
}

void build_info_get(struct build_info *b)
{
    struct utsname u;
    *b = (struct build_info){.dirty = BUILD_DIRTY};
    snprintf(b->commit, sizeof b->commit, "%s", BUILD_COMMIT);
#ifdef __clang__
    snprintf(b->compiler, sizeof b->compiler, "%s", __VERSION__);
#else
    snprintf(b->compiler, sizeof b->compiler, "gcc %s", __VERSION__);
#endif
    snprintf(b->cflags, sizeof b->cflags, "%s", BUILD_CFLAGS);
    snprintf(b->blas, sizeof b->blas, "%.127s", gemm_blas_name());
    cpu_name(b->cpu, sizeof b->cpu);
    snprintf(b->host, sizeof b->host, "%.127s", uname(&u) ? "unknown" : u.nodename);
}
