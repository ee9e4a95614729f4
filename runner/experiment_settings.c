/* "settings" of a configuration, with what grids and ablations make of them. */
#include "runner/experiment_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/mem.h"
#include "runner/setting.h"
#include "runner/sweep.h"

static int read_weights(struct quant_format *f, const struct json *object, const char *where,
                        struct err *e)
{
    char place[600];
    opt_defaults(quant_options, f);
    snprintf(place, sizeof place, "%s: weights", where);
    return object ? quant_format_read(f, object, place, e) : 0;
}

/* The keys were checked by sweep_expand. */
static int read_setting(struct exp_setting *s, const struct json *entry, const char *where,
                        struct err *e)
{
    struct text name = json_string(json_get(entry, "name"));
    const struct json *chain = json_need(entry, "chain", JSON_ARRAY, e);
    *s = (struct exp_setting){.n_factors = 0};
    if (!chain)
        return err_in(e, "%s", where);
    if (name.n == 0 || name.n >= sizeof s->name)
        return err_user(e, "%s: key 'name' must have from 1 to %zu bytes", where,
                        sizeof s->name - 1);
    memcpy(s->name, name.s, name.n + 1);
    if (read_weights(&s->weights, json_get(entry, "weights"), where, e) ||
        kv_chain_read(&s->chain, chain, where, e))
        return -1;
    struct buf canonical;
    buf_init(&canonical);
    setting_canonical(s, &canonical);
    hash_sha256(text_buf(&canonical), s->hash);
    buf_release(&canonical);
    return 0;
}

/* ---- ablations ---- */

static void add_factor(struct exp_setting *s, const struct sweep_item *item, bool base)
{
    struct buf value;
    for (int i = 0; i < s->n_factors; i++)
        if (!strcmp(s->factors[i].ablation, item->ablation) &&
            !strcmp(s->factors[i].factor, item->factor))
            return;
    s->factors = xrealloc(s->factors, mem_size((size_t)s->n_factors + 1, sizeof *s->factors));
    struct exp_factor *f = &s->factors[s->n_factors++];
    *f = (struct exp_factor){.base = base};
    memcpy(f->ablation, item->ablation, sizeof f->ablation);
    memcpy(f->factor, item->factor, sizeof f->factor);
    buf_init(&value);
    setting_put_value(s, item->factor, &value);
    snprintf(f->value, sizeof f->value, "%.255s", value.s);
    buf_release(&value);
}

static bool varies(const struct experiment *x, const struct exp_factor *base)
{
    for (int i = 0; i < x->n_settings; i++)
        for (int k = 0; k < x->settings[i].n_factors; k++) {
            const struct exp_factor *f = &x->settings[i].factors[k];
            if (!f->base && !strcmp(f->ablation, base->ablation) &&
                !strcmp(f->factor, base->factor))
                return true;
        }
    return false;
}

/* Every factor of an ablation has a value that is not the base's own. */
static int check_ablations(const struct experiment *x, const char *path, struct err *e)
{
    for (int i = 0; i < x->n_settings; i++)
        for (int k = 0; k < x->settings[i].n_factors; k++) {
            const struct exp_factor *f = &x->settings[i].factors[k];
            if (f->base && !varies(x, f))
                return err_user(e, "%s: ablation '%s': key '%s' lists only %s, which the base has",
                                path, f->ablation, f->factor, f->value);
        }
    return 0;
}

/* ---- the list ---- */

static void release_setting(struct exp_setting *s)
{
    kv_chain_release(&s->chain);
    free(s->factors);
    *s = (struct exp_setting){.n_factors = 0};
}

/* What an ablation repeats under its name is one setting: several ablations share a base. */
static int place_of(const struct experiment *x, const struct exp_setting *s, bool may_share,
                    const char *where, int *place, struct err *e)
{
    *place = x->n_settings;
    for (int i = 0; i < x->n_settings; i++) {
        bool same_name = !strcmp(x->settings[i].name, s->name);
        bool same = !strcmp(x->settings[i].hash, s->hash);
        if (same_name && same && (may_share || x->settings[i].n_factors))
            *place = i;
        else if (same_name)
            return err_user(e, "%s: two settings are called '%s'", where, s->name);
        else if (same)
            return err_user(e, "%s: settings '%s' and '%s' are the same", where,
                            x->settings[i].name, s->name);
    }
    return 0;
}

/* *place: of the setting in the list, where it is added unless it is there. */
static int take(struct experiment *x, const struct sweep_item *item, const char *where, int *place,
                struct err *e)
{
    struct exp_setting s;
    if (read_setting(&s, item->entry, where, e))
        return -1;
    if (place_of(x, &s, item->ablation[0], where, place, e)) {
        release_setting(&s);
        return -1;
    }
    if (*place == x->n_settings)
        x->settings[x->n_settings++] = s;
    else
        release_setting(&s);
    return 0;
}

/* One factor of the base changed, perhaps to what it was. */
static int take_variation(struct experiment *x, const struct sweep_item *item, int base,
                          const char *where, struct err *e)
{
    struct exp_setting s;
    int place;
    add_factor(&x->settings[base], item, true);
    if (read_setting(&s, item->entry, where, e))
        return -1;
    bool is_base = !strcmp(s.hash, x->settings[base].hash);
    release_setting(&s);
    if (is_base)
        return 0;
    if (take(x, item, where, &place, e))
        return -1;
    add_factor(&x->settings[place], item, false);
    return 0;
}

static int take_all(struct experiment *x, const struct sweep *s, const char *path, struct err *e)
{
    int base = 0;
    for (int i = 0; i < s->n; i++) {
        const struct sweep_item *item = &s->list[i];
        char where[512];
        snprintf(where, sizeof where, "%.300s: settings[%d]", path, item->place);
        if (item->made) {
            size_t n = strlen(where);
            snprintf(where + n, sizeof where - n, ": '%.100s'",
                     json_string(json_get(item->entry, "name")).s);
        }
        if (item->factor[0] ? take_variation(x, item, base, where, e)
                            : take(x, item, where, &base, e))
            return -1;
    }
    return check_ablations(x, path, e);
}

int experiment_read_settings(struct experiment *x, const struct json *root, const char *path,
                             struct err *e)
{
    const struct json *list = json_need(root, "settings", JSON_ARRAY, e);
    struct sweep sweep;
    if (!list)
        return err_in(e, "%s", path);
    if (json_length(list) == 0 || json_length(list) > SETTINGS_MAX)
        return err_user(e, "%s: key 'settings' must list from 1 to %d settings", path,
                        SETTINGS_MAX);
    if (sweep_expand(&sweep, list, SETTINGS_MAX, path, e))
        return -1;
    int rc = take_all(x, &sweep, path, e);
    sweep_release(&sweep);
    return rc;
}
