#include "reports/loaded.h"

const struct scores *loaded_scores(const struct loaded *l)
{
    return l ? l->scores : NULL;
}

static bool same_options(const struct comparison_options *a, const struct comparison_options *b)
{
    return a->seed == b->seed && a->resamples == b->resamples && a->baseline == b->baseline &&
           !(a->level < b->level) && !(a->level > b->level);
}

void loaded_compare(struct comparison *c, const struct scores_table *t,
                    const struct comparison_options *o, const struct loaded *l)
{
    for (int i = 0; l && i < l->scores->n_tables; i++)
        if (&l->scores->table[i] == t && same_options(&l->comparison[i].options, o)) {
            *c = l->comparison[i];
            c->borrowed = true;
            return;
        }
    comparison_init(c, t, o);
}
