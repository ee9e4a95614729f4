#include "harness/model/safetensors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/file.h"
#include "harness/base/json.h"
#include "harness/base/log.h"
#include "harness/base/mem.h"

/*
 * Layout of a file: u64 length of the header, the header (a JSON object: name -> dtype, shape,
 * data_offsets; padded with spaces), then the tensors' bytes without gaps. The rules are those of
 * the format's own reader: the tensors tile the data exactly, from its first byte to its last.
 */
#define HEADER_MAX ((uint64_t)100000000) // the reference reader's own limit
#define WHOLE_MAX  ((uint64_t)1 << 53)   // whole numbers that a JSON number holds exactly

struct entry {
    struct tensor t;
    char *name;
    uint64_t begin; // in the data of its file
    size_t file;    // which one
    void *copy;     // of data that was not aligned to its type, or NULL
};

struct entries {
    struct entry *v;
    size_t n, cap;
};

struct safetensors {
    struct file_map *maps;
    char **paths;
    size_t n_files;
    struct entries all;
};

static void entries_release(struct entries *l)
{
    for (size_t i = 0; i < l->n; i++) {
        free(l->v[i].name);
        free(l->v[i].copy);
    }
    free(l->v);
    *l = (struct entries){0};
}

static struct entry *entries_add(struct entries *l)
{
    if (l->n == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 64;
        l->v = xrealloc(l->v, mem_size(l->cap, sizeof *l->v));
    }
    l->v[l->n] = (struct entry){0};
    return &l->v[l->n++];
}

/* A JSON value that is a whole number, not negative. */
static bool whole(const struct json *j, uint64_t *out)
{
    if (json_type(j) != JSON_NUMBER)
        return false;
    double x = json_number(j);
    if (!(x >= 0 && x <= (double)WHOLE_MAX) || x != floor(x))
        return false;
    *out = (uint64_t)x;
    return true;
}

static int read_dtype(const struct json *tensor, enum dtype *out, struct err *e)
{
    const struct json *name = json_need(tensor, "dtype", JSON_STRING, e);
    if (!name)
        return -1;
    for (enum dtype d = 0; d < DT_COUNT; d++) {
        if (text_is(json_string(name), dtype_name(d))) {
            *out = d;
            return 0;
        }
    }
    return err_user(e, "dtype '%s' is not one that is read here", json_string(name).s);
}

/* Reads the shape; *elements is their product. */
static int read_shape(const struct json *tensor, struct tensor *t, uint64_t *elements,
                      struct err *e)
{
    const struct json *shape = json_need(tensor, "shape", JSON_ARRAY, e);
    if (!shape)
        return -1;
    if (json_length(shape) > TENSOR_DIMS)
        return err_user(e, "shape has %zu dimensions, at most %d are read here", json_length(shape),
                        TENSOR_DIMS);
    *elements = 1;
    for (const struct json *d = json_first(shape); d; d = json_next(d)) {
        uint64_t size;
        if (!whole(d, &size))
            return err_user(e, "dimension %d of its shape is not a whole number from 0 to 2^53",
                            t->n_dims);
        if (size && *elements > WHOLE_MAX / size)
            return err_user(e, "shape is too large: more than 2^53 elements");
        *elements *= size;
        t->shape[t->n_dims++] = (int64_t)size;
    }
    return 0;
}

static int read_offsets(const struct json *tensor, uint64_t data_bytes, uint64_t at[2],
                        struct err *e)
{
    const struct json *offsets = json_need(tensor, "data_offsets", JSON_ARRAY, e);
    if (!offsets)
        return -1;
    if (json_length(offsets) != 2 || !whole(json_at(offsets, 0), &at[0]) ||
        !whole(json_at(offsets, 1), &at[1]))
        return err_user(e, "data_offsets must be two whole numbers [begin, end]");
    if (at[0] > at[1] || at[1] > data_bytes)
        return err_user(e, "data_offsets %llu to %llu do not lie in the file's %llu bytes of data",
                        (unsigned long long)at[0], (unsigned long long)at[1],
                        (unsigned long long)data_bytes);
    return 0;
}

/* One member of the header. data: where the tensors' bytes begin. */
static int read_tensor(const struct json *member, const uint8_t *data, uint64_t data_bytes,
                       struct entry *x, struct err *e)
{
    uint64_t elements = 0, at[2] = {0};
    if (json_type(member) != JSON_OBJECT)
        return err_user(e, "is %s, must be an object", json_type_name(json_type(member)));
    if (read_dtype(member, &x->t.dtype, e) || read_shape(member, &x->t, &elements, e) ||
        read_offsets(member, data_bytes, at, e))
        return -1;
    uint64_t size = dtype_size(x->t.dtype);
    if (elements > WHOLE_MAX / size || elements * size != at[1] - at[0])
        return err_user(e, "has %llu bytes of data, its shape and dtype %s ask for %llu x %llu",
                        (unsigned long long)(at[1] - at[0]), dtype_name(x->t.dtype),
                        (unsigned long long)elements, (unsigned long long)size);
    x->begin = at[0];
    x->t.bytes = (size_t)(at[1] - at[0]);
    x->t.data = data + at[0];
    return 0;
}

static int by_place(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return x->t.bytes < y->t.bytes ? -1 : x->t.bytes > y->t.bytes;
}

/* The tensors of one file tile its data: no overlap, no hole, nothing left over. */
static int check_tiling(struct entry *v, size_t n, uint64_t data_bytes, struct err *e)
{
    uint64_t end = 0;
    if (n)
        qsort(v, n, sizeof *v, by_place);
    for (size_t i = 0; i < n; i++) {
        if (v[i].begin < end)
            return err_user(e, "tensors '%s' and '%s' overlap", v[i - 1].name, v[i].name);
        if (v[i].begin > end)
            return err_user(e, "a hole of %llu bytes before tensor '%s'",
                            (unsigned long long)(v[i].begin - end), v[i].name);
        end += v[i].t.bytes;
    }
    if (end != data_bytes)
        return err_user(e, "%llu bytes of data belong to no tensor",
                        (unsigned long long)(data_bytes - end));
    return 0;
}

static int check_metadata(const struct json *member, struct err *e)
{
    if (json_type(member) != JSON_OBJECT)
        return err_user(e, "__metadata__ is %s, must be an object",
                        json_type_name(json_type(member)));
    for (const struct json *m = json_first(member); m; m = json_next(m))
        if (json_type(m) != JSON_STRING)
            return err_user(e, "__metadata__ '%s' is %s, must be a string", json_key(m),
                            json_type_name(json_type(m)));
    return 0;
}

/* The header as JSON, NULL on error; *start is the offset of the data. */
static struct json *read_header(const uint8_t *file, size_t n, size_t *start, struct err *e)
{
    uint64_t length = 0;
    if (n < 8) {
        err_user(e, "has %zu bytes, a safetensors file has at least 8", n);
        return NULL;
    }
    for (int i = 7; i >= 0; i--)
        length = length << 8 | file[i];
    if (length > n - 8 || length > HEADER_MAX) {
        err_user(e, "header length %llu is beyond the file (%zu bytes) or the limit (%llu)",
                 (unsigned long long)length, n, (unsigned long long)HEADER_MAX);
        return NULL;
    }
    *start = 8 + (size_t)length;
    struct json *j = json_read((struct text){(const char *)file + 8, (size_t)length}, e);
    if (j && json_type(j) != JSON_OBJECT) {
        err_user(e, "is %s, must be an object", json_type_name(json_type(j)));
        json_free(j);
        j = NULL;
    }
    if (!j)
        err_in(e, "header");
    return j;
}

/* Adds the tensors of one file's bytes to the list. */
static int read_bytes(const uint8_t *file, size_t n, size_t which, struct entries *l, struct err *e)
{
    size_t start, first = l->n;
    struct json *header = read_header(file, n, &start, e);
    int rc = header ? 0 : -1;
    for (const struct json *m = header ? json_first(header) : NULL; m && !rc; m = json_next(m)) {
        if (!strcmp(json_key(m), "__metadata__")) {
            rc = check_metadata(m, e);
            continue;
        }
        struct entry *x = entries_add(l);
        x->name = xstrdup(json_key(m));
        x->t.name = x->name;
        x->file = which;
        rc = read_tensor(m, file + start, n - start, x, e);
        if (rc)
            err_in(e, "tensor '%s'", x->name);
    }
    if (!rc)
        rc = check_tiling(l->v + first, l->n - first, n - start, e);
    json_free(header);
    return rc;
}

/* Files written before the header was padded may hold tensors at odd addresses: those are copied.
 */
static size_t align_entries(struct entries *l)
{
    size_t copied = 0;
    for (size_t i = 0; i < l->n; i++) {
        struct entry *x = &l->v[i];
        if ((uintptr_t)x->t.data % dtype_size(x->t.dtype) == 0)
            continue;
        x->copy = mem_aligned(x->t.bytes);
        memcpy(x->copy, x->t.data, x->t.bytes);
        x->t.data = x->copy;
        copied += x->t.bytes;
    }
    return copied;
}

static int add_file(struct safetensors *s, char *path, struct err *e)
{
    size_t i = s->n_files++;
    s->maps = xrealloc(s->maps, mem_size(s->n_files, sizeof *s->maps));
    s->paths = xrealloc(s->paths, mem_size(s->n_files, sizeof *s->paths));
    s->maps[i] = (struct file_map){0};
    s->paths[i] = path;
    if (file_map(path, &s->maps[i], e))
        return -1;
    if (read_bytes(s->maps[i].data, s->maps[i].size, i, &s->all, e)) {
        struct err why = *e;
        return err_user(e,
                        "%s: %s; the file is damaged, cut short or not safetensors: "
                        "fetch or write it again",
                        path, why.msg);
    }
    return 0;
}

static int by_name(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int c = strcmp(x->name, y->name);
    return c ? c : x->file < y->file ? -1 : x->file > y->file;
}

static int sort_names(struct safetensors *s, const char *path, struct err *e)
{
    struct entry *v = s->all.v;
    if (s->all.n)
        qsort(v, s->all.n, sizeof *v, by_name);
    for (size_t i = 1; i < s->all.n; i++)
        if (!strcmp(v[i - 1].name, v[i].name))
            return err_user(e, "%s: tensor '%s' is in two files: %s and %s", path, v[i].name,
                            s->paths[v[i - 1].file], s->paths[v[i].file]);
    return 0;
}

static const struct entry *find(const struct safetensors *s, const char *name)
{
    size_t low = 0, high = s->all.n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = strcmp(s->all.v[mid].name, name);
        if (!c)
            return &s->all.v[mid];
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

/* dir of `path` + "/" + name; the caller frees. */
static char *beside_dup(const char *path, const char *name)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return xstrdup(name);
    char *dir = xstrndup(path, (size_t)(slash - path) + 1), *joined = file_join_dup(dir, name);
    free(dir);
    return joined;
}

static int check_shard_name(const struct json *member, struct err *e)
{
    if (json_type(member) != JSON_STRING)
        return err_user(e, "weight_map: '%s' is %s, must be a file's name", json_key(member),
                        json_type_name(json_type(member)));
    struct text t = json_string(member);
    if (!t.n || strlen(t.s) != t.n || strpbrk(t.s, "/\\") || t.s[0] == '.')
        return err_user(e, "weight_map: '%s' names file '%s': it must lie beside the index",
                        json_key(member), t.s);
    return 0;
}

/* Which of the files has this path, or n_files. */
static size_t file_of(const struct safetensors *s, const char *path)
{
    size_t i = 0;
    while (i < s->n_files && strcmp(s->paths[i], path))
        i++;
    return i;
}

static int add_shards(struct safetensors *s, const char *index, const struct json *map,
                      struct err *e)
{
    for (const struct json *m = json_first(map); m; m = json_next(m)) {
        if (check_shard_name(m, e))
            return err_in(e, "%s", index);
        char *path = beside_dup(index, json_string(m).s);
        if (file_of(s, path) < s->n_files)
            free(path);
        else if (add_file(s, path, e))
            return err_in(e, "%s", index);
    }
    return 0;
}

/* Every tensor of the index is in the file that it names. */
static int check_index(const struct safetensors *s, const char *index, const struct json *map,
                       struct err *e)
{
    for (const struct json *m = json_first(map); m; m = json_next(m)) {
        const struct entry *x = find(s, json_key(m));
        char *path = beside_dup(index, json_string(m).s);
        bool there = x && !strcmp(s->paths[x->file], path);
        free(path);
        if (!there)
            return err_user(e, "%s: tensor '%s' is not in %s, as the index says: fetch both again",
                            index, json_key(m), json_string(m).s);
    }
    return 0;
}

static int open_index(struct safetensors *s, const char *path, struct err *e)
{
    struct json *j = json_read_file(path, e);
    if (!j)
        return -1;
    int rc = -1;
    const struct json *map = json_need(j, "weight_map", JSON_OBJECT, e);
    if (!map)
        err_in(e, "%s", path);
    else if (!json_length(map))
        err_user(e, "%s: weight_map is empty", path);
    else if (!add_shards(s, path, map, e) && !sort_names(s, path, e))
        rc = check_index(s, path, map, e);
    json_free(j);
    return rc;
}

static bool is_index(const char *path)
{
    static const char end[] = ".index.json";
    size_t n = strlen(path), k = sizeof end - 1;
    return n >= k && !strcmp(path + n - k, end);
}

struct safetensors *safetensors_open(const char *path, struct err *e)
{
    struct safetensors *s = xcalloc(1, sizeof *s);
    int rc = is_index(path) ? open_index(s, path, e) : add_file(s, xstrdup(path), e);
    if (!rc && !is_index(path))
        rc = sort_names(s, path, e);
    if (rc) {
        safetensors_close(s);
        return NULL;
    }
    size_t copied = align_entries(&s->all);
    if (copied)
        log_warn("%s: %.1f MB of tensors are not aligned and are copied to memory; "
                 "write the file again with safetensors 0.3 or later to have it mapped",
                 path, (double)copied / 1e6);
    return s;
}

void safetensors_close(struct safetensors *s)
{
    if (!s)
        return;
    entries_release(&s->all);
    for (size_t i = 0; i < s->n_files; i++) {
        file_unmap(&s->maps[i]);
        free(s->paths[i]);
    }
    free(s->maps);
    free(s->paths);
    free(s);
}

size_t safetensors_count(const struct safetensors *s)
{
    return s->all.n;
}

const struct tensor *safetensors_at(const struct safetensors *s, size_t i)
{
    return i < s->all.n ? &s->all.v[i].t : NULL;
}

const struct tensor *safetensors_find(const struct safetensors *s, const char *name)
{
    const struct entry *x = find(s, name);
    return x ? &x->t : NULL;
}

size_t safetensors_files(const struct safetensors *s, const char *const **paths)
{
    *paths = (const char *const *)s->paths;
    return s->n_files;
}

int safetensors_check(const unsigned char *data, size_t n, struct err *e)
{
    struct entries l = {0};
    int rc = read_bytes(data, n, 0, &l, e);
    entries_release(&l);
    return rc;
}
