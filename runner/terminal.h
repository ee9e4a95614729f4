/* What stdout is: how wide a line may be, and whether bold may be used. */
#ifndef KVLAB_TERMINAL_H
#define KVLAB_TERMINAL_H

#include <stdbool.h>

int terminal_width(void);   // 100 where stdout is no terminal
bool terminal_colour(void); // a terminal that can, and NO_COLOR is not set

#endif
