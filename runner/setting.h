/* What a setting is as text: its identity, its prefill class, and how people are told of it. */
#ifndef KVLAB_SETTING_H
#define KVLAB_SETTING_H

#include "runner/experiment.h"

/* Equal texts, equal results. The chain's canonical text where the weights are as stored (as it was
 * before there were others), else {"chain":[...],"weights":{...}}. */
void setting_canonical(const struct exp_setting *s, struct buf *out);
/* Equal texts, equal prefill. */
void setting_class(const struct exp_setting *s, struct buf *out);
/* "kvo key_bits=4 + w4g128": methods with the options that differ, and the weights. */
void setting_describe(const struct exp_setting *s, struct buf *out);
/* What the setting has of a factor of an ablation ("kvo.key_bits", "weights.bits", "chain"), as
 * text; nothing where its chain has no such option. */
void setting_put_value(const struct exp_setting *s, const char *factor, struct buf *out);

#endif
