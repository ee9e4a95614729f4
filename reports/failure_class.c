#include "reports/failure_class.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct kind {
    const char *name;
    const char *flags; // of the command, NULL: trying again does not help
    const char *what;
} kinds[] = {
    {"crash", " --workers 1",
     "the process died at it twice, the second time with the item's group alone, so it is the "
     "program or the machine; if it does so again, report it with its signal"},
    {"memory", " --workers 1",
     "one worker has all the memory (--memory SIZE, of which each worker has its part)"},
    {"disk", "", "make room first: kvlab doctor says what is free"},
    {"length", NULL,
     "the prompt is too long, as it will be again: set protocol.truncation to middle, or "
     "protocol.max_prompt_tokens, which makes other runs"},
    {"data", NULL,
     "the record or the tokenizer is at fault: kvlab data verify DIR, then run with the whole "
     "file"},
    {"metric", "",
     "the answer could not be scored; kvlab score --rescore scores stored answers without the "
     "model"},
    {"setting", NULL, "the method refuses this prompt under these options: change the setting"},
    {"other", "",
     "worth one try; with the same reason again the cause is in the item or in the program"},
};

static const struct kind *find(const char *name)
{
    const size_t n = sizeof kinds / sizeof *kinds;
    for (size_t i = 0; i < n; i++)
        if (!strcmp(kinds[i].name, name))
            return &kinds[i];
    return &kinds[n - 1];
}

void failure_class_put(struct doc *d, const char *name, int items, double need)
{
    const struct kind *k = find(name);
    const char *s = items == 1 ? "" : "s";
    char memory[32] = "";
    if (need > 0 && k->flags)
        snprintf(memory, sizeof memory, " --memory %.0fM", ceil(need) + 1);
    if (k->flags)
        doc_fact(d, name, "%d item%s: kvlab run CONFIG.json --retry%s%s. %c%s.", items, s, k->flags,
                 memory, *k->what - 'a' + 'A', k->what + 1);
    else
        doc_fact(d, name, "%d item%s; no retry: %s.", items, s, k->what);
}
