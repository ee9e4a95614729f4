/* Tasks on long lists: a report's decisions, labelled examples, numbered paragraphs, functions. */
#include "datasets/mini_int.h"

#include <stdio.h>
#include <string.h>

/* Summarisation: the decisions lie scattered in a report; the summary is all of them, in order. */

static void write_decision(struct mini *m, struct buf *summary)
{
    struct buf decision;
    struct name town = mini_town(m);
    const char *spot = mini_pick(m, &words_spots), *verb = mini_pick(m, &words_verbs);
    buf_init(&decision);
    buf_printf(&decision, "The council decided to %s the %s of %s.", verb, spot, town.s);
    buf_printf(&m->context, "%s ", decision.s);
    buf_printf(summary, "%s%s", summary->n ? " " : "", decision.s);
    buf_release(&decision);
}

static void write_fillers(struct mini *m, int n)
{
    for (int i = 0; i < n; i++) {
        mini_filler(m, &m->context);
        buf_char(&m->context, ' ');
    }
}

void mini_make_report(struct mini *m, int words)
{
    int decisions = mini_between(m, 3, 6), about = words / (decisions * 11 + 1);
    struct buf *summary;
    mini_ask(m, &summary);
    if (about < 1)
        about = 1;
    for (int i = 0; i < decisions; i++) {
        int fillers = mini_between(m, about * 2 / 3, about * 4 / 3 + 1);
        buf_printf(&m->context, "Section %d.\n", i + 1);
        write_fillers(m, fillers / 2);
        write_decision(m, summary);
        write_fillers(m, fillers - fillers / 2);
        buf_char(&m->context, '\n');
    }
}

/* Few-shot classification: which words belong to a class, only the examples tell. */

enum { KEYWORDS = 6, CLASS_POOL = 16, ASKED_MAX = 24, TRIES = 400 };

static const char *const shape_list[] = {
    "What is the %s of the %s ?",
    "How does the %s come to the %s ?",
    "Why did they ask for %s at the %s ?",
    "Which %s was named after the %s ?",
};
static const struct words shapes = {shape_list, 4};

struct lesson {
    struct name keyword[MINI_CLASSES][KEYWORDS];
    bool seen[MINI_CLASSES][KEYWORDS]; // in an example
};

static void choose_classes(struct mini *m, struct lesson *l)
{
    int order[CLASS_POOL];
    m->n_classes = mini_between(m, 4, MINI_CLASSES);
    mini_permutation(m, order, CLASS_POOL);
    memset(l, 0, sizeof *l);
    for (int i = 0; i < m->n_classes; i++) {
        m->classes[i] = words_classes.list[order[i]];
        for (int k = 0; k < KEYWORDS; k++) {
            const char *end = mini_pick(m, &words_surname_end);
            const char *start = mini_pick(m, &words_river_start);
            l->keyword[i][k] = mini_name(start, "", end);
        }
    }
}

/* A question with the keyword, as far as the label that is to follow. */
static void write_example(struct mini *m, const struct name *keyword, const char *label,
                          struct buf *out)
{
    const char *spot = mini_pick(m, &words_spots);
    buf_str(out, "Question: ");
    mini_say(out, mini_pick(m, &shapes), keyword->s, spot);
    buf_str(out, label);
}

void mini_make_classify(struct mini *m, int words)
{
    struct lesson l;
    struct buf *answer, *question;
    choose_classes(m, &l);
    int examples = words / 13 > 3 * m->n_classes ? words / 13 : 3 * m->n_classes;
    for (int i = 0; i < examples; i++) {
        int c = rng_below(&m->rng, m->n_classes), k = rng_below(&m->rng, KEYWORDS);
        l.seen[c][k] = true;
        write_example(m, &l.keyword[c][k], "\nType: ", &m->context);
        buf_printf(&m->context, "%s\n", m->classes[c]);
    }
    for (int i = 0; i < TRIES && m->n_questions < ASKED_MAX; i++) {
        int c = rng_below(&m->rng, m->n_classes), k = rng_below(&m->rng, KEYWORDS);
        if (!l.seen[c][k])
            continue;
        question = mini_ask(m, &answer);
        write_example(m, &l.keyword[c][k], "\nType:", question);
        buf_str(answer, m->classes[c]);
    }
}

/* Passage retrieval: which numbered paragraph does the sentence come from? */

/* Below 330 words the paragraphs hold a sentence or two and become fewer: up to 329/11 + 2. */
enum { PARAGRAPHS = 30, PARAGRAPHS_MAX = 31 };

static void write_purchase(struct mini *m, const struct name *buyer, struct buf *out)
{
    struct name town = mini_town(m);
    const char *thing = mini_pick(m, &words_things), *of = mini_pick(m, &words_materials);
    buf_printf(out, "%s bought a %s %s in %s.", buyer->s, of, thing, town.s);
}

/* *at, *length: where in the context its key sentence lies. */
static void write_paragraph(struct mini *m, int sentences, size_t *at, size_t *length)
{
    int key = rng_below(&m->rng, sentences);
    for (int i = 0; i < sentences; i++) {
        size_t start = m->context.n;
        struct name buyer = mini_person(m);
        if (i == key || rng_below(&m->rng, 2))
            write_purchase(m, &buyer, &m->context);
        else
            mini_filler(m, &m->context);
        if (i == key) {
            *at = start;
            *length = m->context.n - start;
        }
        buf_char(&m->context, ' ');
    }
}

void mini_make_retrieval(struct mini *m, int words)
{
    int n = PARAGRAPHS, sentences = words / PARAGRAPHS / 11, order[PARAGRAPHS_MAX];
    size_t at[PARAGRAPHS_MAX] = {0}, length[PARAGRAPHS_MAX] = {0};
    struct buf *answer, *question;
    if (sentences < 1) {
        sentences = 1;
        n = words / 11 + 2;
    }
    for (int i = 0; i < n; i++) {
        buf_printf(&m->context, "Paragraph %d: ", i + 1);
        write_paragraph(m, mini_between(m, sentences, sentences + 1), &at[i], &length[i]);
        buf_str(&m->context, "\n\n");
    }
    mini_permutation(m, order, n);
    for (int i = 0; i < n && (question = mini_ask(m, &answer)); i++) {
        buf_add(question, m->context.s + at[order[i]], length[order[i]]);
        buf_printf(answer, "Paragraph %d", order[i] + 1);
    }
}

/* Code completion: call the function that an earlier file defines, with its own arguments. */

enum { FUNCTIONS_MAX = 150, ARGUMENT_POOL = 16 };

struct function {
    struct name name;
    char arguments[96];
};

static struct name function_name(struct mini *m)
{
    const char *animal = mini_pick(m, &words_animals), *of = mini_pick(m, &words_materials);
    struct name object = mini_name(of, "_", animal);
    return mini_name(mini_pick(m, &words_code_verbs), "_", object.s);
}

static bool defined(const struct function *f, int n, const struct name *x)
{
    for (int i = 0; i < n; i++)
        if (!strcmp(f[i].name.s, x->s))
            return true;
    return false;
}

static void draw_arguments(struct mini *m, struct function *f)
{
    int n = mini_between(m, 1, 3), order[ARGUMENT_POOL];
    mini_permutation(m, order, ARGUMENT_POOL);
    f->arguments[0] = 0;
    for (int i = 0; i < n; i++) {
        size_t used = strlen(f->arguments);
        snprintf(f->arguments + used, sizeof f->arguments - used, "%s%s", i ? ", " : "",
                 words_code_arguments.list[order[i]]);
    }
}

static void write_definition(struct mini *m, const struct function *f, bool new_file)
{
    if (new_file)
        buf_printf(&m->context, "# file %s.py\n", mini_town(m).s);
    const char *verb = mini_pick(m, &words_code_verbs), *object = mini_pick(m, &words_foods);
    buf_printf(&m->context, "def %s(%s):\n    return %s.%s(%s)\n\n", f->name.s, f->arguments,
               object, verb, f->arguments);
}

void mini_make_code(struct mini *m, int words)
{
    struct function f[FUNCTIONS_MAX];
    int order[FUNCTIONS_MAX], n = words / 12 + 2;
    struct buf *answer, *question;
    if (n > FUNCTIONS_MAX)
        n = FUNCTIONS_MAX;
    for (int i = 0; i < n; i++) {
        do
            f[i].name = function_name(m);
        while (defined(f, i, &f[i].name));
        draw_arguments(m, &f[i]);
        write_definition(m, &f[i], i % 6 == 0);
    }
    mini_permutation(m, order, n);
    for (int i = 0; i < n && i < ASKED_MAX && (question = mini_ask(m, &answer)); i++) {
        const struct function *called = &f[order[i]];
        buf_printf(question, "def run_%s():\n    # call %s\n", mini_pick(m, &words_animals),
                   called->name.s);
        buf_printf(answer, "    return %s(%s)", called->name.s, called->arguments);
    }
}
