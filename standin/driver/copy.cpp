// The driver's calls for memory: allocations, copies and fills, in the order of their stream.
#include <cstring>
#include <vector>

#include "card.h"
#include "memory.h"
#include "say.h"
#include "stream.h"

using namespace host;

static std::byte *at(CUdeviceptr address) { return reinterpret_cast<std::byte *>(address); }

extern "C" {

CUresult cuMemGetInfo_v2(std::size_t *free, std::size_t *total) {
    const Card *card = current();
    if (card == nullptr) {
        return CUDA_ERROR_INVALID_CONTEXT;
    }
    *total = card_memory();
    *free = *total - used(card->number);
    return CUDA_SUCCESS;
}

CUresult cuMemAllocAsync(CUdeviceptr *pointer, std::size_t bytes, CUstream handle) {
    Stream *stream = stream_of("cuMemAllocAsync", handle);
    if (stream == nullptr || bytes == 0) {
        return CUDA_ERROR_INVALID_VALUE;
    }
    const Address block = allocate(stream->card->number, bytes, false);
    if (block == 0) {
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    queue(stream, "allocate", [block] { set_ready(block); });
    *pointer = block;
    return CUDA_SUCCESS;
}

CUresult cuMemAlloc_v2(CUdeviceptr *pointer, std::size_t bytes) {
    const Card *card = current();
    if (card == nullptr) {
        return CUDA_ERROR_INVALID_CONTEXT;
    }
    *pointer = bytes == 0 ? 0 : allocate(card->number, bytes, true);
    return bytes == 0 ? CUDA_ERROR_INVALID_VALUE : *pointer == 0 ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_SUCCESS;
}

CUresult cuMemFreeAsync(CUdeviceptr pointer, CUstream handle) {
    Stream *stream = stream_of("cuMemFreeAsync", handle);
    if (stream == nullptr || !give_up(stream->card->number, pointer)) {
        return CUDA_ERROR_INVALID_VALUE;
    }
    queue(stream, "free", [pointer] { release(pointer); });
    return CUDA_SUCCESS;
}

CUresult cuMemFree_v2(CUdeviceptr pointer) {
    Card *card = current();
    if (card == nullptr || !give_up(card->number, pointer)) {
        return CUDA_ERROR_INVALID_VALUE;
    }
    synchronize(*card);
    release(pointer);
    return CUDA_SUCCESS;
}

CUresult cuMemHostAlloc(void **memory, std::size_t bytes, unsigned int) {
    if (current() == nullptr || bytes == 0) {
        return CUDA_ERROR_INVALID_VALUE;
    }
    *memory = allocate_pinned(bytes);
    return *memory == nullptr ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_SUCCESS;
}

CUresult cuMemFreeHost(void *memory) { return free_pinned(memory) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE; }

CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, std::size_t bytes, CUstream handle) {
    Stream *stream = stream_of("cuMemcpyHtoDAsync", handle);
    if (stream == nullptr || !names_memory("cuMemcpyHtoDAsync", stream->card->number, to, bytes)) {
        return CUDA_ERROR_INVALID_VALUE;
    }
    const int card = stream->card->number;
    if (is_pinned(from, bytes)) {
        // Read when its turn comes: whoever writes it before spoils the copy.
        begin_copy(from);
        queue(stream, TO_CARD, [=] {
            touch(TO_CARD, card, to, bytes);
            std::memcpy(at(to), from, bytes);
            end_copy(from);
        });
    } else {
        // Staged before the call returns.
        std::vector<std::byte> staged(bytes);
        std::memcpy(staged.data(), from, bytes);
        queue(stream, TO_CARD, [=, staged = std::move(staged)] {
            touch(TO_CARD, card, to, bytes);
            std::memcpy(at(to), staged.data(), bytes);
        });
    }
    return CUDA_SUCCESS;
}

CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, std::size_t bytes, CUstream handle) {
    Stream *stream = stream_of("cuMemcpyDtoHAsync", handle);
    if (stream == nullptr || !names_memory("cuMemcpyDtoHAsync", stream->card->number, from, bytes)) {
        return CUDA_ERROR_INVALID_VALUE;
    }
    const int card = stream->card->number;
    const bool late = is_pinned(to, bytes);
    if (late) {
        begin_copy(to);
    }
    queue(stream, "copy from the card", [=] {
        touch("copy from the card", card, from, bytes);
        std::memcpy(to, at(from), bytes);
        if (late) {
            end_copy(to);
        }
    });
    // Into memory that is not pinned the call returns when it is done.
    if (!late) {
        synchronize(stream);
    }
    return CUDA_SUCCESS;
}

// From one card's memory to another's, or within one.
static CUresult between(const char *what, CUdeviceptr to, int to_card, CUdeviceptr from, int from_card, std::size_t bytes, Stream *stream) {
    if (stream == nullptr || !names_memory(what, to_card, to, bytes) || !names_memory(what, from_card, from, bytes)) {
        return CUDA_ERROR_INVALID_VALUE;
    }
    if (to < from + bytes && from < to + bytes) {
        wrong("%s: from and to overlap", what);
        return CUDA_ERROR_INVALID_VALUE;
    }
    queue(stream, what, [=] {
        touch(what, to_card, to, bytes);
        touch(what, from_card, from, bytes);
        std::memcpy(at(to), at(from), bytes);
    });
    return CUDA_SUCCESS;
}

CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, std::size_t bytes, CUstream handle) {
    Stream *stream = stream_of("cuMemcpyDtoDAsync", handle);
    const int card = stream == nullptr ? 0 : stream->card->number;
    return between("cuMemcpyDtoDAsync", to, card, from, card, bytes, stream);
}

CUresult cuMemcpyPeerAsync(CUdeviceptr to, CUcontext to_context, CUdeviceptr from, CUcontext from_context, std::size_t bytes, CUstream handle) {
    if (!is_context(to_context) || !is_context(from_context)) {
        wrong("cuMemcpyPeerAsync: no context");
        return CUDA_ERROR_INVALID_CONTEXT;
    }
    const auto number = [](CUcontext context) { return reinterpret_cast<Card *>(context)->number; };
    Stream *stream = stream_of("cuMemcpyPeerAsync", handle);
    return between("cuMemcpyPeerAsync", to, number(to_context), from, number(from_context), bytes, stream);
}

CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, std::size_t bytes, CUstream handle) {
    Stream *stream = stream_of("cuMemsetD8Async", handle);
    if (stream == nullptr || !names_memory("cuMemsetD8Async", stream->card->number, to, bytes)) {
        return CUDA_ERROR_INVALID_VALUE;
    }
    const int card = stream->card->number;
    queue(stream, "fill memory", [=] {
        touch("fill memory", card, to, bytes);
        std::memset(at(to), value, bytes);
    });
    return CUDA_SUCCESS;
}

} // extern "C"
