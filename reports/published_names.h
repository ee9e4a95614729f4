/* What published numbers are called in the database, by those who store and those who read them. */
#ifndef KVLAB_PUBLISHED_NAMES_H
#define KVLAB_PUBLISHED_NAMES_H

#define PUBLISHED_EXPERIMENT "published " // before the paper's name
#define PUBLISHED_FULL       "full"       // the setting that is the full cache
#define PUBLISHED_AVERAGE    "average"    // category of the averages among the tasks

#endif
