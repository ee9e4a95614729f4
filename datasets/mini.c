#include "datasets/mini.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/mini_int.h"
#include "harness/base/json.h"
#include "harness/base/mem.h"

/* The prompt is before {context} between {input} after. A follow-up question of the training text
 * begins at `between`. */
struct mini_task {
    const char *name;
    void (*make)(struct mini *m, int words);
    const char *language;
    bool answer_space; // in the training text a space stands before the answer
    const char *before, *between, *after;
};

static const struct mini_task tasks[] = {
    {"mini_doc_qa", mini_make_doc_qa, "en", true,
     "Read the text and answer the question in a few words.\n\n", "\n\nQuestion: ", "\nAnswer:"},
    {"mini_multi_hop", mini_make_multi_hop, "en", true,
     "Answer the question from the passages in a few words.\n\n", "\n\nQuestion: ", "\nAnswer:"},
    {"mini_report", mini_make_report, "en", true,
     "Here is a report. List every decision of the council.\n\n", "\n\nDecisions:", ""},
    {"mini_classify", mini_make_classify, "en", true,
     "Give the type of the last question. Here are some examples.\n\n", "", ""},
    {"mini_retrieval", mini_make_retrieval, "en", true,
     "Here are numbered paragraphs and a sentence. Say which paragraph holds the sentence.\n\n",
     "Sentence: ", "\nAnswer:"},
    {"mini_code", mini_make_code, "en", false, "Complete the next line of code.\n\n", "",
     "Next line of code:\n"},
    {"mini_qa_zh", mini_make_qa_zh, "zh", false, "阅读文字并简短回答问题。\n\n", "\n\n问题：",
     "\n回答："},
};

static const struct mini_task *find(const char *name)
{
    for (size_t i = 0; i < sizeof tasks / sizeof *tasks; i++)
        if (!strcmp(tasks[i].name, name))
            return &tasks[i];
    return NULL;
}

struct mini *mini_open(const struct mini_options *o, struct err *e)
{
    const struct mini_task *task = find(o->task);
    if (!task) {
        err_user(e, "'%s' is no task that can be generated (kvlab data list names them: mini_...)",
                 o->task);
        return NULL;
    }
    if (o->words < 1 || o->words > MINI_WORDS_MAX || o->min_words < 0 || o->min_words > o->words) {
        err_user(e, "%s: words %d, at least %d: must be 1 to %d, the least not above the most",
                 o->task, o->words, o->min_words, MINI_WORDS_MAX);
        return NULL;
    }
    struct mini *m = xcalloc(1, sizeof *m);
    m->task = task;
    m->options = o;
    buf_init(&m->context);
    for (int i = 0; i < MINI_QUESTIONS; i++) {
        buf_init(&m->question[i]);
        buf_init(&m->answer[i]);
    }
    return m;
}

void mini_close(struct mini *m)
{
    if (!m)
        return;
    buf_release(&m->context);
    for (int i = 0; i < MINI_QUESTIONS; i++) {
        buf_release(&m->question[i]);
        buf_release(&m->answer[i]);
    }
    free(m);
}

struct buf *mini_ask(struct mini *m, struct buf **answer)
{
    if (m->n_questions == MINI_QUESTIONS)
        return NULL;
    int i = m->n_questions++;
    buf_reset(&m->question[i]);
    buf_reset(&m->answer[i]);
    *answer = &m->answer[i];
    return &m->question[i];
}

/* Each record has a stream of its own, so that record 7 is the same whoever asks for how many. */
static void make(struct mini *m, uint64_t index)
{
    const struct mini_options *o = m->options;
    m->rng.state = o->seed;
    m->rng.state = rng_next(&m->rng) ^ (index * 0xD1B54A32D192ED03u);
    m->rng.state = rng_next(&m->rng);
    int words = o->min_words ? mini_between(m, o->min_words, o->words) : o->words;
    do {
        buf_reset(&m->context);
        m->n_questions = m->n_classes = 0;
        m->task->make(m, words);
    } while (m->n_questions == 0);
}

static int count_words(const struct buf *b)
{
    int n = 0;
    bool in_word = false;
    for (size_t i = 0; i < b->n; i++) {
        bool space = b->s[i] == ' ' || b->s[i] == '\n';
        n += !space && !in_word;
        in_word = !space;
    }
    return n;
}

static void put_classes(const struct mini *m, struct buf *out)
{
    if (!m->n_classes) {
        buf_str(out, "null");
        return;
    }
    for (int i = 0; i < m->n_classes; i++) {
        buf_str(out, i ? ", " : "[");
        json_put_string(out, text_of(m->classes[i]));
    }
    buf_char(out, ']');
}

void mini_record(struct mini *m, uint64_t index, struct buf *out)
{
    make(m, index);
    buf_str(out, "{\"input\": ");
    json_put_string(out, text_buf(&m->question[0]));
    buf_str(out, ", \"context\": ");
    json_put_string(out, text_buf(&m->context));
    buf_str(out, ", \"answers\": [");
    json_put_string(out, text_buf(&m->answer[0]));
    int length =
        count_words(&m->context) + count_words(&m->question[0]) + count_words(&m->answer[0]);
    buf_printf(out,
               "], \"length\": %d, \"dataset\": \"%s\", \"language\": \"%s\", \"all_classes\": ",
               length, m->task->name, m->task->language);
    put_classes(m, out);
    buf_printf(out, ", \"_id\": \"%s-%llu-%llu\"}\n", m->task->name,
               (unsigned long long)m->options->seed, (unsigned long long)index);
}

enum { TRAIN_END_OF_PART = 0x1f, TRAIN_NEWLINE = 0x1e };

static void put_training(struct buf *out, const char *s)
{
    for (; *s; s++)
        buf_char(out, *s == '\n' ? TRAIN_NEWLINE : *s);
}

void mini_training_line(struct mini *m, uint64_t index, int questions, struct buf *out)
{
    const struct mini_task *t = m->task;
    make(m, index);
    put_training(out, t->before);
    put_training(out, m->context.s);
    for (int i = 0; i < m->n_questions && i < questions; i++) {
        if (i && t->between[0] != '\n')
            buf_char(out, TRAIN_NEWLINE);
        put_training(out, t->between);
        put_training(out, m->question[i].s);
        put_training(out, t->after);
        buf_char(out, TRAIN_END_OF_PART);
        if (t->answer_space)
            buf_char(out, ' ');
        put_training(out, m->answer[i].s);
        buf_char(out, TRAIN_END_OF_PART);
    }
    buf_char(out, '\n');
}

void mini_template(const char *task, struct buf *out)
{
    const struct mini_task *t = find(task);
    assert(t);
    buf_printf(out, "%s{context}%s{input}%s", t->before, t->between, t->after);
}

void mini_identity(const struct mini_options *o, struct buf *out)
{
    buf_printf(out, "mini %d %s seed %llu words %d..%d", MINI_VERSION, o->task,
               (unsigned long long)o->seed, o->min_words ? o->min_words : o->words, o->words);
}
