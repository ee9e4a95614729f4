#include "reports/format.h"

#include <string.h>
#include <strings.h>

#include "harness/base/near.h"

#define FORMAT(name) extern const struct format format_##name;
#include "reports/formats.def"
#undef FORMAT

#define FORMAT(name) &format_##name,
const struct format *const format_all[] = {
#include "reports/formats.def"
    NULL};
#undef FORMAT

enum { N_FORMATS = sizeof format_all / sizeof *format_all - 1 };

const struct format *format_find(const char *name, struct err *e)
{
    const char *names[N_FORMATS];
    char hint[128];
    struct buf b;
    for (int i = 0; i < N_FORMATS; i++) {
        names[i] = format_all[i]->name;
        if (!strcmp(name, names[i]))
            return format_all[i];
    }
    buf_init(&b);
    for (int i = 0; i < N_FORMATS; i++)
        buf_printf(&b, "%s%s", !i ? "" : i < N_FORMATS - 1 ? ", " : " or ", names[i]);
    err_user(e, "--format is '%s', must be %s%s", name, b.s,
             near_hint(hint, name, names, N_FORMATS));
    buf_release(&b);
    return NULL;
}

const struct format *format_of_path(const char *path)
{
    const char *file = strrchr(path, '/') ? strrchr(path, '/') : path, *dot = strrchr(file, '.');
    for (int i = 0; dot && i < N_FORMATS; i++)
        for (const char *const *end = format_all[i]->endings; *end; end++)
            if (!strcasecmp(dot, *end))
                return format_all[i];
    return NULL;
}
