#define _DEFAULT_SOURCE // scandir's alphasort
#include "runner/model_spec.h"

#include <dirent.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/file.h"
#include "harness/base/mem.h"
#include "harness/base/near.h"
#include "runner/command.h"

static const char *const chat_names[] = {"none", "llama2", "vicuna", NULL};

#define AT(field) offsetof(struct model_spec, field)
/* clang-format off */
const struct opt model_spec_options[] = {
    {.name = "name", .type = OPT_STR, .offset = AT(name), .def_str = "",
     .help = "a known model or a name for this one"},
    {.name = "dir", .type = OPT_STR, .offset = AT(dir), .def_str = "",
     .help = "folder of the checkpoint"},
    {.name = "chat", .type = OPT_CHOICE, .offset = AT(chat), .choices = chat_names,
     .help = "wrapper of prompts"},
    {.name = "rope_factor", .type = OPT_NUM, .offset = AT(rope_factor), .min = 0, .max = 1024,
     .help = "positions are divided by it (condensed); 0: as config.json says"},
    {.name = "max_positions", .type = OPT_INT, .offset = AT(max_positions), .min = 0, .max = 1e7,
     .help = "longest sequence; 0: as config.json says"},
    {.name = "max_prompt_longbench", .type = OPT_INT, .offset = AT(max_prompt_longbench), .min = 0,
     .max = 1e7, .help = "prompt tokens of preset longbench"},
    {.name = "max_prompt_kvo", .type = OPT_INT, .offset = AT(max_prompt_kvo), .min = 0, .max = 1e7,
     .help = "prompt tokens of preset kvo"},
    {.name = "about", .type = OPT_STR, .offset = AT(about), .def_str = "",
     .help = "where it comes from"},
    {0}};
/* clang-format on */

enum { KNOWN_MAX = 64 };

struct known {
    char *names[KNOWN_MAX];
    size_t n;
};

static int is_json(const struct dirent *d)
{
    size_t n = strlen(d->d_name);
    return n > 5 && !strcmp(d->d_name + n - 5, ".json");
}

static void list_known(struct known *k)
{
    char *dir = command_path_dup("configs/models");
    struct dirent **found = NULL;
    int n = scandir(dir, &found, is_json, alphasort);
    k->n = 0;
    for (int i = 0; i < n; i++) {
        if (k->n < KNOWN_MAX)
            k->names[k->n++] = xstrndup(found[i]->d_name, strlen(found[i]->d_name) - 5);
        free(found[i]);
    }
    free(found);
    free(dir);
}

static void free_known(struct known *k)
{
    for (size_t i = 0; i < k->n; i++)
        free(k->names[i]);
}

static char *known_path_dup(const char *name)
{
    struct buf b;
    buf_init(&b);
    buf_printf(&b, "configs/models/%s.json", name);
    char *path = command_path_dup(b.s);
    buf_release(&b);
    return path;
}

/* A folder in configs is meant from the program's own place. */
static void settle_dir(struct model_spec *s)
{
    if (!s->dir[0] || s->dir[0] == '/' || strncmp(s->dir, "configs/", 8))
        return;
    char *path = command_path_dup(s->dir);
    snprintf(s->dir, sizeof s->dir, "%.255s", path);
    free(path);
}

static bool is_known(const char *name)
{
    char *path = known_path_dup(name);
    bool yes = !strchr(name, '/') && file_exists(path);
    free(path);
    return yes;
}

static int read_known(struct model_spec *s, const char *name, struct err *e)
{
    char *path = known_path_dup(name);
    struct json *j = json_read_file(path, e);
    int rc = j ? opt_read(model_spec_options, s, j, path, e) : -1;
    json_free(j);
    free(path);
    snprintf(s->name, sizeof s->name, "%.255s", name);
    settle_dir(s);
    return rc;
}

static int unknown_model(const char *name, struct err *e)
{
    struct known k;
    char hint[128];
    list_known(&k);
    err_user(e, "unknown model '%s'%s (kvlab list models; a folder is written with a '/')", name,
             near_hint(hint, name, (const char *const *)k.names, k.n));
    free_known(&k);
    return -1;
}

int model_spec_named(struct model_spec *s, const char *name, struct err *e)
{
    opt_defaults(model_spec_options, s);
    if (is_known(name))
        return read_known(s, name, e);
    if (!strchr(name, '/') && !file_is_dir(name))
        return unknown_model(name, e);
    size_t n = strlen(name);
    while (n > 1 && name[n - 1] == '/')
        n--;
    if (n >= sizeof s->dir)
        return err_user(e, "model folder '%.60s...' has too long a name", name);
    memcpy(s->dir, name, n);
    s->dir[n] = 0;
    const char *slash = strrchr(s->dir, '/');
    snprintf(s->name, sizeof s->name, "%.255s", slash && slash[1] ? slash + 1 : s->dir);
    return 0;
}

int model_spec_read(struct model_spec *s, const struct json *value, const char *where,
                    struct err *e)
{
    if (json_type(value) == JSON_STRING) {
        if (model_spec_named(s, json_string(value).s, e))
            return err_in(e, "%s", where);
        return 0;
    }
    opt_defaults(model_spec_options, s);
    if (opt_read(model_spec_options, s, value, where, e))
        return -1;
    if (!s->name[0])
        return err_user(e, "%s: key 'name' is missing", where);
    char name[OPT_STR_MAX];
    memcpy(name, s->name, sizeof name);
    if (is_known(name) &&
        (read_known(s, name, e) || opt_read(model_spec_options, s, value, where, e)))
        return -1;
    settle_dir(s);
    return 0;
}

int model_spec_list(struct buf *out, struct err *e)
{
    struct known k;
    int rc = 0;
    list_known(&k);
    for (size_t i = 0; i < k.n && !rc; i++) {
        struct model_spec s;
        opt_defaults(model_spec_options, &s);
        rc = read_known(&s, k.names[i], e);
        buf_printf(out, "%-28s %s\n", s.name, s.about);
    }
    free_known(&k);
    return rc;
}

const char *model_chat_name(int chat)
{
    return chat_names[chat];
}

static const struct {
    const char *before, *after;
} wrappers[] = {
    [CHAT_NONE] = {"", ""},
    [CHAT_LLAMA2] = {"[INST]", "[/INST]"},
    [CHAT_VICUNA] = {"A chat between a curious user and an artificial intelligence assistant. "
                     "The assistant gives helpful, detailed, and polite answers to the user's "
                     "questions. USER: ",
                     " ASSISTANT:"},
};

void model_chat_wrap(int chat, struct text prompt, struct buf *out)
{
    buf_str(out, wrappers[chat].before);
    buf_text(out, prompt);
    buf_str(out, wrappers[chat].after);
}

const char *model_chat_end(int chat)
{
    return chat == CHAT_NONE ? NULL : wrappers[chat].after;
}
