/* Questions on documents: one document, passages to be combined, one document in Chinese. */
#include "datasets/mini_int.h"

enum { PEOPLE_MAX = 200, FACTS_MAX = 2 * PEOPLE_MAX, TOWNS_MAX = 90, FOLK_MAX = 2 * TOWNS_MAX };

static int at_most(int n, int max)
{
    return n < max ? n : max;
}

/* Single-document QA: two facts on each person, shuffled, among sentences that answer nothing. */

enum { FACT_TOWN = 1, FACT_THING = 3, FACT_KINDS = 8 };

static const struct {
    const struct words *values; // NULL: see fact_value
    const char *statement[2], *question;
} fact_kinds[FACT_KINDS] = {
    {&words_professions,
     {"%s has been a %s for years.", "%s works as a %s."},
     "What does %s work as?"},
    {NULL, {"%s came into the world in %s.", "%s was born in %s."}, "Where was %s born?"},
    {&words_instruments,
     {"Every evening %s practises the %s.", "%s plays the %s."},
     "Which instrument does %s play?"},
    {NULL, {"The most precious thing of %s is a %s.", "%s owns a %s."}, "What does %s own?"},
    {&words_animals,
     {"%s lives with a %s.", "%s keeps a %s as a pet."},
     "Which animal does %s keep?"},
    {&words_foods,
     {"For breakfast %s takes %s.", "%s likes to eat %s."},
     "What does %s like to eat?"},
    {&words_colours,
     {"The house of %s has a %s door.", "%s wears a %s coat."},
     "Which colour belongs to %s?"},
    {&words_spots,
     {"%s can be found in the %s.", "%s hides the money in the %s."},
     "In which place is %s or the money of %s?"},
};

struct fact {
    int kind;
    const struct name *who;
    struct name value;
};

static struct name fact_value(struct mini *m, int kind)
{
    if (kind == FACT_TOWN)
        return mini_town(m);
    if (kind != FACT_THING)
        return mini_name(mini_pick(m, fact_kinds[kind].values), "", "");
    const char *thing = mini_pick(m, &words_things), *of = mini_pick(m, &words_materials);
    return mini_name(of, " ", thing);
}

static void write_fact(struct mini *m, struct fact *f)
{
    f->value = fact_value(m, f->kind);
    const char *statement = fact_kinds[f->kind].statement[rng_below(&m->rng, 2)];
    mini_say(&m->context, statement, f->who->s, f->value.s);
    buf_char(&m->context, rng_below(&m->rng, 7) == 0 ? '\n' : ' ');
    if (rng_below(&m->rng, 4) == 0) {
        mini_filler(m, &m->context);
        buf_char(&m->context, ' ');
    }
}

void mini_make_doc_qa(struct mini *m, int words)
{
    struct name who[PEOPLE_MAX];
    struct fact facts[FACTS_MAX];
    int order[FACTS_MAX], people = at_most(words / 26 + 2, PEOPLE_MAX), n = 2 * people;
    struct buf *answer, *question;
    for (int i = 0; i < people; i++) {
        who[i] = mini_fresh(m, mini_person, who, i);
        int kind = rng_below(&m->rng, FACT_KINDS);
        int other = (kind + 1 + rng_below(&m->rng, FACT_KINDS - 1)) % FACT_KINDS;
        facts[2 * i] = (struct fact){.kind = kind, .who = &who[i]};
        facts[2 * i + 1] = (struct fact){.kind = other, .who = &who[i]};
    }
    mini_permutation(m, order, n);
    for (int i = 0; i < n; i++)
        write_fact(m, &facts[order[i]]);
    mini_permutation(m, order, n);
    for (int i = 0; i < n && (question = mini_ask(m, &answer)); i++) {
        const struct fact *f = &facts[order[i]];
        mini_say(question, fact_kinds[f->kind].question, f->who->s, f->who->s);
        buf_str(answer, f->value.s);
    }
}

/* Multi-document QA: a person leads to a town, the town to its river or its mayor, each in a
 * passage of its own. */

struct county {
    int n_towns, n_folk;
    struct name towns[TOWNS_MAX], rivers[TOWNS_MAX], mayors[TOWNS_MAX], folk[FOLK_MAX];
    int home[FOLK_MAX]; // a town
};

static void settle(struct mini *m, struct county *c)
{
    for (int i = 0; i < c->n_towns; i++) {
        c->towns[i] = mini_fresh(m, mini_town, c->towns, i);
        c->rivers[i] = mini_fresh(m, mini_river, c->rivers, i);
        c->mayors[i] = mini_fresh(m, mini_person, c->mayors, i);
    }
    for (int i = 0; i < c->n_folk; i++)
        do
            c->folk[i] = mini_fresh(m, mini_person, c->folk, i);
        while (mini_taken(c->mayors, c->n_towns, &c->folk[i]));
    for (int i = 0; i < c->n_folk; i++)
        c->home[i] = rng_below(&m->rng, c->n_towns);
}

/* Documents 0 to n_towns-1 are on towns, the rest on people. */
static void write_passage(struct mini *m, const struct county *c, int document)
{
    struct buf *out = &m->context;
    if (document < c->n_towns) {
        const char *town = c->towns[document].s;
        buf_printf(out, "%s\nThe river %s runs through %s. The mayor of %s is %s.", town,
                   c->rivers[document].s, town, town, c->mayors[document].s);
    } else {
        int who = document - c->n_towns;
        buf_printf(out, "%s\n%s works as a %s and was born in %s.", c->folk[who].s, c->folk[who].s,
                   mini_pick(m, &words_professions), c->towns[c->home[who]].s);
    }
    if (rng_below(&m->rng, 3) == 0) {
        buf_char(out, ' ');
        mini_filler(m, out);
    }
    buf_char(out, '\n');
}

static void ask_about(struct mini *m, const struct county *c, int who, bool two_hops,
                      struct buf *question, struct buf *answer)
{
    const char *person = c->folk[who].s;
    int home = c->home[who];
    bool first = rng_below(&m->rng, 2) != 0;
    if (two_hops) {
        buf_printf(question, "Name the town where %s was born and its %s.", person,
                   first ? "mayor" : "river");
        buf_printf(answer, "%s, %s", c->towns[home].s, (first ? c->mayors : c->rivers)[home].s);
    } else if (first) {
        buf_printf(question, "In which town was %s born?", person);
        buf_str(answer, c->towns[home].s);
    } else {
        buf_printf(question, "Which river runs through %s?", c->towns[home].s);
        buf_str(answer, c->rivers[home].s);
    }
}

void mini_make_multi_hop(struct mini *m, int words)
{
    struct county c;
    int order[TOWNS_MAX + FOLK_MAX];
    struct buf *answer, *question;
    c.n_towns = at_most(words / 62 + 2, TOWNS_MAX);
    c.n_folk = 2 * c.n_towns;
    settle(m, &c);
    mini_permutation(m, order, c.n_towns + c.n_folk);
    for (int i = 0; i < c.n_towns + c.n_folk; i++) {
        buf_printf(&m->context, "Passage %d:\n", i + 1);
        write_passage(m, &c, order[i]);
    }
    mini_permutation(m, order, c.n_folk);
    for (int i = 0; i < c.n_folk && (question = mini_ask(m, &answer)); i++) {
        /* The first question, the one that a test asks, takes two hops and names both. */
        bool two_hops = i == 0 || rng_below(&m->rng, 3) != 0;
        ask_about(m, &c, order[i], two_hops, question, answer);
    }
}

/* Chinese single-document QA: one fact on each person. */

enum { ZH_CITY = 1, ZH_KINDS = 4 };

static const struct {
    const struct words *values; // NULL: a city
    const char *statement, *question;
} zh_kinds[ZH_KINDS] = {
    {&words_jobs_zh, "%s的职业是%s。", "%s的职业是什么？"},
    {NULL, "%s住在%s。", "%s住在哪里？"},
    {&words_foods_zh, "%s喜欢吃%s。", "%s喜欢吃什么？"},
    {&words_instruments_zh, "%s会弹%s。", "%s会弹什么？"},
};

static void write_fact_zh(struct mini *m, struct fact *f)
{
    f->kind = rng_below(&m->rng, ZH_KINDS);
    f->value = f->kind == ZH_CITY ? mini_city_zh(m)
                                  : mini_name(mini_pick(m, zh_kinds[f->kind].values), "", "");
    mini_say(&m->context, zh_kinds[f->kind].statement, f->who->s, f->value.s);
    if (rng_below(&m->rng, 3) == 0)
        buf_printf(&m->context, "%s的天气很好。", mini_city_zh(m).s);
    if (rng_below(&m->rng, 6) == 0)
        buf_char(&m->context, '\n');
}

void mini_make_qa_zh(struct mini *m, int words)
{
    struct name who[PEOPLE_MAX];
    struct fact facts[PEOPLE_MAX];
    int order[PEOPLE_MAX], n = at_most(words / 20 + 2, PEOPLE_MAX);
    struct buf *answer, *question;
    for (int i = 0; i < n; i++) {
        who[i] = mini_fresh(m, mini_person_zh, who, i);
        facts[i].who = &who[i];
        write_fact_zh(m, &facts[i]);
    }
    mini_permutation(m, order, n);
    for (int i = 0; i < n && (question = mini_ask(m, &answer)); i++) {
        const struct fact *f = &facts[order[i]];
        mini_say(question, zh_kinds[f->kind].question, f->who->s, "");
        buf_str(answer, f->value.s);
    }
}
