/* Time that only goes forward, and time of day for people. Neither ever decides a result. */
#ifndef KVLAB_CLOCK_H
#define KVLAB_CLOCK_H

double clock_seconds(void);                           // monotonic
void clock_stamp(char out[32]);                       // UTC, 2026-11-23T10:55:00Z
const char *clock_span(char out[32], double seconds); // "1:05", "2:03:04"

#endif
