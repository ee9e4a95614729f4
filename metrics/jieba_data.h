/*
 * What jieba knows, as one read-only block: the dictionary as a trie with precomputed weights, and
 * the hidden Markov model of words that are not in it. metrics/tools/make_jieba.c writes it at
 * build time from the files of Debian's python3-jieba, jieba_blob.S puts it into the program, so
 * that the loader maps it and nothing is read at the start. The order of the parts is that of the
 * members of struct jieba_data; numbers are in the byte order of the machine.
 */
#ifndef KVLAB_JIEBA_DATA_H
#define KVLAB_JIEBA_DATA_H

#include <stddef.h>
#include <stdint.h>

enum { JIEBA_VERSION = 1 };
#define JIEBA_MAGIC "kvjieba"

/* Only these can stand in a block that is looked up: ASCII, and the ideographs jieba knows. */
enum { JIEBA_HAN_FIRST = 0x4E00, JIEBA_HAN_LAST = 0x9FD5, JIEBA_ASCII = 128 };
enum { JIEBA_HAN = JIEBA_HAN_LAST - JIEBA_HAN_FIRST + 1, JIEBA_SYMBOLS = JIEBA_ASCII + JIEBA_HAN };

/* In the order of their letters, because ties go to the larger. */
enum jieba_state { JIEBA_B, JIEBA_E, JIEBA_M, JIEBA_S, JIEBA_STATES };

struct jieba_header {
    char magic[8];
    uint32_t version, n_symbols, n_weights, n_nodes;
    uint64_t size; // of everything, this header too
};

/* Nodes are numbered breadth first from the root, 0: the children of x, ascending by symbol, are
 * first_child[x] .. first_child[x + 1] - 1. Every symbol s is a child of the root, node 1 + s. */
struct jieba_data {
    const double *start;          // [JIEBA_STATES]: logarithms, -3.14e100 for impossible
    const double *trans;          // [JIEBA_STATES from][JIEBA_STATES to]
    const double *emit;           // [JIEBA_HAN][JIEBA_STATES]
    const double *weight;         // [n_weights]: log(frequency) - log(total); of 1 in [0]
    const uint32_t *first_child;  // [n_nodes + 1]
    const uint16_t *symbol;       // [n_nodes]
    const uint16_t *weight_index; // [n_nodes]: 0 for what is no word
};

/* A view of the block; costs nothing. */
void jieba_data_get(struct jieba_data *d);

/* Symbol of a code point, -1 when it has none. */
static inline int jieba_symbol(uint32_t c)
{
    if (c < JIEBA_ASCII)
        return (int)c;
    if (c < JIEBA_HAN_FIRST || c > JIEBA_HAN_LAST)
        return -1;
    return (int)(c - JIEBA_HAN_FIRST) + JIEBA_ASCII;
}

/* Child of a node by symbol; 0 when there is none. */
uint32_t jieba_child(const struct jieba_data *d, uint32_t node, uint32_t symbol);

#endif
