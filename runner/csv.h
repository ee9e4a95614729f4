/* Lines of comma-separated values, taken apart in place. */
#ifndef KVLAB_CSV_H
#define KVLAB_CSV_H

#include "harness/base/err.h"

/* The fields of the line at *at, which is a NUL-terminated string that is written to: quotes go,
 * NULs come. *at moves behind the line's end (LF or CRLF). Returns how many fields there are, also
 * when that is more than max, of which fields[] then has the first; -1 where quotes do not match.
 */
int csv_line(char **at, char **fields, int max, struct err *e);

#endif
