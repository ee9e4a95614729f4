/* Style and script of the page, compiled in, and the policy that allows them and nothing else. */
#ifndef KVLAB_PAGE_ASSETS_H
#define KVLAB_PAGE_ASSETS_H

#include "harness/base/text.h"

/* Added to out: the style, the script, and a Content-Security-Policy that names both by their hash.
 */
void page_assets_style(struct buf *out);
void page_assets_script(struct buf *out);
void page_assets_policy(struct buf *out);

#endif
