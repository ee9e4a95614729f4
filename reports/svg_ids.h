/* Pictures in one page: every gnuplot calls its markers gpPt0 and so on, a page has each id once.
 */
#ifndef KVLAB_SVG_IDS_H
#define KVLAB_SVG_IDS_H

#include "harness/base/text.h"

/* The svg with prefix before each id and before each reference to one: href="#...", xlink:href and
 * url(#...), wherever these stand in a tag. Texts between tags stay as they are. prefix: letters,
 * digits, - and _. */
void svg_put_ids(struct text svg, const char *prefix, struct buf *out);

#endif
