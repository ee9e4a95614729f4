/* Rows of tables that mix protocols, named by what their protocols differ in. */
#ifndef KVLAB_PROTOCOL_NAMES_H
#define KVLAB_PROTOCOL_NAMES_H

#include "reports/scores.h"

/* "kvo" becomes "kvo (chat=none, max_prompt_tokens=1000)" in each table of several protocols.
 * ERR_USER where these have other tasks: then there is no table of them. */
int protocol_names(struct scores *s, struct store *store, struct err *e);

#endif
