/*
 * What the settings of a group of tables are, field by field: typed columns of table setting, every
 * option of every method, columns of table protocol. For an axis: which fields are numbers and
 * vary; and for its series: in what else settings differ.
 */
#ifndef KVLAB_FIELDS_H
#define KVLAB_FIELDS_H

#include "reports/frame.h"

struct field {
    char *name;    // "key_bits", "kvo.token_budget", "max_prompt_tokens"
    bool typed;    // a column of setting
    bool protocol; // a column of protocol
    char **text;   // [n]: "" where it does not apply
    double *value; // [n]: NaN where it is no number
    int distinct;  // numbers
};

struct fields {
    int n; // settings: rows of the group's tables, one after the other
    struct field *field;
    int n_fields;
    char **family; // [n]: chain, with the weights: "kvo, w4g128"
};

int fields_load(struct fields *l, struct store *s, const struct frame *f, struct frame_group g,
                struct err *e);
void fields_release(struct fields *l);

/* The field of that name; of an option its bare name does where it is one method's. NULL: none. */
const struct field *fields_find(const struct fields *l, const char *name);
/* Whether an option of that name is a column of setting as well. */
bool fields_is_told(const struct fields *l, int field);
/* The setting's field with the most different numbers, the first of equals; NULL: none has two. */
const struct field *fields_widest(const struct fields *l);

/* Which settings make a line over x: those that agree in all fields, but for x itself (also as an
 * option of the same name) and for what follows from x. series[i]: number of the line from 0, -1
 * where x does not apply. Returns how many lines. */
int fields_series(const struct fields *l, const struct field *x, int *series);
/* What tells the line from the others: "value_bits 2, window 64", at least the family; the caller
 * frees. member: any setting of it. */
char *fields_label_dup(const struct fields *l, const struct field *x, const int *series,
                       int member);

#endif
