#include "harness/model/spm.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include <sentencepiece_processor.h>

struct spm {
    sentencepiece::SentencePieceProcessor processor;
};

static int fail(char *why, const char *reason)
{
    std::snprintf(why, SPM_WHY, "%s", reason);
    return -1;
}

/* Runs work() and turns a bad status or an exception into a reason. */
template <class Work> static int guarded(char *why, Work work) noexcept
{
    try {
        const sentencepiece::util::Status status = work();
        return status.ok() ? 0 : fail(why, status.ToString().c_str());
    } catch (const std::exception &x) {
        return fail(why, x.what());
    } catch (...) {
        return fail(why, "unknown exception");
    }
}

/* A copy that C can free; at least one byte, so that NULL means no memory. */
static void *copy_of(const void *data, size_t bytes)
{
    void *copy = std::malloc(bytes + 1);
    if (!copy)
        throw std::bad_alloc();
    if (bytes)
        std::memcpy(copy, data, bytes);
    return copy;
}

struct spm *spm_open(const void *model, size_t n, char why[SPM_WHY])
{
    spm *s = new (std::nothrow) spm;
    if (!s) {
        fail(why, "out of memory");
        return nullptr;
    }
    const absl::string_view bytes(static_cast<const char *>(model), n);
    if (!guarded(why, [&] { return s->processor.LoadFromSerializedProto(bytes); }))
        return s;
    delete s;
    return nullptr;
}

void spm_close(struct spm *s)
{
    delete s;
}

int spm_size(const struct spm *s)
{
    return s->processor.GetPieceSize();
}

int spm_unk(const struct spm *s)
{
    return s->processor.unk_id();
}

int spm_bos(const struct spm *s)
{
    return s->processor.bos_id();
}

int spm_eos(const struct spm *s)
{
    return s->processor.eos_id();
}

const char *spm_piece(const struct spm *s, int id)
{
    return s->processor.IdToPiece(id).c_str();
}

int spm_encode(const struct spm *s, const char *text, size_t n, int32_t **ids, size_t *n_ids,
               char why[SPM_WHY])
{
    return guarded(why, [&] {
        std::vector<int> out;
        const auto status = s->processor.Encode(absl::string_view(text, n), &out);
        *n_ids = out.size();
        *ids = static_cast<int32_t *>(copy_of(out.data(), out.size() * sizeof(int32_t)));
        return status;
    });
}

int spm_decode(const struct spm *s, const int32_t *ids, size_t n, char **text, size_t *n_text,
               char why[SPM_WHY])
{
    return guarded(why, [&] {
        std::string out;
        const auto status = s->processor.Decode(std::vector<int>(ids, ids + n), &out);
        *n_text = out.size();
        *text = static_cast<char *>(copy_of(out.data(), out.size()));
        return status;
    });
}
