#include "card.h"

#include <algorithm>
#include <cstring>
#include <mutex>

#include "fault.h"
#include "memory.h"
#include "say.h"
#include "stream.h"

namespace host {

static std::mutex mutex;
static Card cards[MOST_CARDS];
static thread_local Card *bound;
static bool initialised;

int card_count() {
    static const int count = std::min<int>(static_cast<int>(setting("HOST_CARDS", 1)), MOST_CARDS);
    return count;
}

std::size_t card_memory() {
    static const std::size_t bytes = setting("HOST_CARD_MEMORY", std::size_t{6} << 30);
    return bytes;
}

int capability() {
    static const int value = static_cast<int>(setting("HOST_CARD_CAPABILITY", 90));
    return value;
}

Card *card(int number) { return &cards[number]; }
Card *current() { return bound; }

bool is_context(CUcontext context) {
    const Card *card = reinterpret_cast<Card *>(context);
    return card >= cards && card < cards + card_count() && card->retained > 0;
}

bool may_touch(int card, int owner) {
    const std::lock_guard lock(mutex);
    return card == owner || cards[owner].open_to.count(card) > 0;
}

static bool is_card(CUdevice device) { return device >= 0 && device < card_count(); }

// A context that nobody holds any more is destroyed with all that is in it.
static void close(Card &card) {
    const std::size_t blocks = live_blocks(card.number);
    if (blocks > 0 || !card.streams.empty() || card.modules > 0 || card.events > 0) {
        wrong("context of card %d released with %zu allocations, %zu streams, %d modules and %d events open",
              card.number, blocks, card.streams.size(), card.modules, card.events);
    }
    if (card.null_stream != nullptr) {
        destroy(card.null_stream);
        card.null_stream = nullptr;
    }
}

} // namespace host

using namespace host;

extern "C" {

CUresult cuInit(unsigned int flags) {
    const std::lock_guard lock(mutex);
    for (int number = 0; number < MOST_CARDS && !initialised; number++) {
        cards[number].number = number;
    }
    if (!initialised) {
        watch_faults();
    }
    initialised = true;
    return flags == 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuDriverGetVersion(int *version) {
    *version = CUDA_VERSION;
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetCount(int *count) {
    *count = card_count();
    return initialised ? CUDA_SUCCESS : CUDA_ERROR_NOT_INITIALIZED;
}

CUresult cuDeviceGet(CUdevice *device, int ordinal) {
    if (!is_card(ordinal)) {
        return CUDA_ERROR_INVALID_DEVICE;
    }
    *device = ordinal;
    return initialised ? CUDA_SUCCESS : CUDA_ERROR_NOT_INITIALIZED;
}

CUresult cuDeviceGetName(char *name, int len, CUdevice device) {
    if (!is_card(device)) {
        return CUDA_ERROR_INVALID_DEVICE;
    }
    std::strncpy(name, "host stand-in (no card)", static_cast<std::size_t>(len));
    name[len - 1] = 0;
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute attribute, CUdevice device) {
    if (!is_card(device)) {
        return CUDA_ERROR_INVALID_DEVICE;
    }
    switch (attribute) {
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: *value = capability() / 10; break;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: *value = capability() % 10; break;
    case CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED: *value = 1; break;
    case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: *value = 1; break;
    case CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING: *value = 1; break;
    case CU_DEVICE_ATTRIBUTE_WARP_SIZE: *value = 32; break;
    case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK: *value = 1024; break;
    default: fatal("attribute %d of a card is not provided", static_cast<int>(attribute));
    }
    return CUDA_SUCCESS;
}

CUresult cuDeviceTotalMem_v2(std::size_t *bytes, CUdevice device) {
    *bytes = card_memory();
    return is_card(device) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

CUresult cuDeviceCanAccessPeer(int *can, CUdevice device, CUdevice other) {
    if (!is_card(device) || !is_card(other) || can == nullptr) {
        return CUDA_ERROR_INVALID_DEVICE;
    }
    *can = device != other;
    return CUDA_SUCCESS;
}

// A card has one pool of memory.
CUresult cuDeviceGetMemPool(CUmemoryPool *pool, CUdevice device) {
    if (!is_card(device) || pool == nullptr) {
        return CUDA_ERROR_INVALID_DEVICE;
    }
    *pool = reinterpret_cast<CUmemoryPool>(&cards[device]);
    return CUDA_SUCCESS;
}

CUresult cuMemPoolSetAccess(CUmemoryPool pool, const CUmemAccessDesc *list, std::size_t count) {
    Card *owner = reinterpret_cast<Card *>(pool);
    if (owner < cards || owner >= cards + card_count() || list == nullptr || count == 0) {
        wrong("cuMemPoolSetAccess: no pool, or no list");
        return CUDA_ERROR_INVALID_VALUE;
    }
    const std::lock_guard lock(mutex);
    for (const CUmemAccessDesc *one = list; one < list + count; one++) {
        const int other = one->location.id;
        if (one->location.type != CU_MEM_LOCATION_TYPE_DEVICE || !is_card(other)) {
            wrong("cuMemPoolSetAccess: no card");
            return CUDA_ERROR_INVALID_VALUE;
        }
        if (one->flags == CU_MEM_ACCESS_FLAGS_PROT_READWRITE) {
            owner->open_to.insert(other);
        } else {
            fatal("cuMemPoolSetAccess: flags %d are not provided", static_cast<int>(one->flags));
        }
    }
    return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) {
    if (!is_card(device)) {
        return CUDA_ERROR_INVALID_DEVICE;
    }
    const std::lock_guard lock(mutex);
    cards[device].retained++;
    *context = reinterpret_cast<CUcontext>(&cards[device]);
    return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device) {
    if (!is_card(device)) {
        return CUDA_ERROR_INVALID_DEVICE;
    }
    const std::lock_guard lock(mutex);
    Card &card = cards[device];
    if (card.retained == 0) {
        wrong("context of card %d released more often than retained", device);
        return CUDA_ERROR_INVALID_CONTEXT;
    }
    if (--card.retained == 0) {
        close(card);
    }
    return CUDA_SUCCESS;
}

CUresult cuCtxDestroy_v2(CUcontext) {
    wrong("cuCtxDestroy of a primary context");
    return CUDA_ERROR_INVALID_CONTEXT;
}

CUresult cuCtxGetCurrent(CUcontext *context) {
    *context = reinterpret_cast<CUcontext>(bound);
    return CUDA_SUCCESS;
}

CUresult cuCtxSetCurrent(CUcontext context) {
    if (context != nullptr && !is_context(context)) {
        wrong("cuCtxSetCurrent: no context");
        return CUDA_ERROR_INVALID_CONTEXT;
    }
    bound = reinterpret_cast<Card *>(context);
    return CUDA_SUCCESS;
}

// A program that never pushes twice needs no more than one place.
static thread_local Card *below;

CUresult cuCtxPushCurrent_v2(CUcontext context) {
    below = bound;
    return cuCtxSetCurrent(context);
}

CUresult cuCtxPopCurrent_v2(CUcontext *context) {
    *context = reinterpret_cast<CUcontext>(bound);
    bound = below;
    below = nullptr;
    return CUDA_SUCCESS;
}

CUresult cuCtxSynchronize() {
    if (bound == nullptr) {
        return CUDA_ERROR_INVALID_CONTEXT;
    }
    synchronize(*bound);
    return CUDA_SUCCESS;
}

CUresult cuGetErrorString(CUresult error, const char **text) {
    static thread_local char buffer[64];
    std::snprintf(buffer, sizeof buffer, "error %d of the host stand-in", static_cast<int>(error));
    *text = buffer;
    return CUDA_SUCCESS;
}

CUresult cuGetErrorName(CUresult error, const char **text) { return cuGetErrorString(error, text); }

} // extern "C"
