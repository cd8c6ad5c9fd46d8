// The calls of libnccl that the trainer makes, with the meaning that NVIDIA's documentation gives them.
#include <cuda.h>
#include <nccl.h>

#include <atomic>
#include <cstring>
#include <map>
#include <set>

#include "../memory.h"
#include "../say.h"
#include "clique.h"

using namespace host;

static std::mutex registry;
static std::set<ncclComm *> open_communicators;
static std::map<std::uint64_t, std::shared_ptr<Clique>> cliques;

// Of the calling thread: how deep it is in groups, and what it has asked for in them.
static thread_local int depth = 0;
static thread_local std::map<ncclComm *, std::vector<Collective>> group;

static ncclComm *known(const char *what, ncclComm_t handle) {
    const std::lock_guard lock(registry);
    if (!open_communicators.contains(handle)) {
        wrong("%s: no communicator", what);
        return nullptr;
    }
    if (handle->card != current()) {
        wrong("%s: a communicator of card %d with another card's context", what, handle->card->number);
    }
    return handle;
}

static ncclResult_t launch() {
    ncclResult_t result = ncclSuccess;
    for (auto &[communicator, collectives] : group) {
        if (!communicator->blocking) {
            result = ncclInProgress;
        }
        communicator->launch(std::move(collectives));
    }
    group.clear();
    return result;
}

extern "C" {

ncclResult_t ncclGetVersion(int *version) {
    *version = NCCL_VERSION_CODE;
    return ncclSuccess;
}

const char *ncclGetErrorString(ncclResult_t) { return "an error of the stand-in"; }

ncclResult_t ncclGetUniqueId(ncclUniqueId *id) {
    static std::atomic<std::uint64_t> next{1};
    const std::uint64_t own = next++;
    std::memset(id, 0, sizeof *id);
    std::memcpy(id, &own, sizeof own);
    return ncclSuccess;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t *handle, int ranks, ncclUniqueId id, int rank, ncclConfig_t *config) {
    struct Oldest {
        std::size_t size;
        unsigned int magic, version;
        int blocking;
    } oldest;
    std::memcpy(&oldest, config, sizeof oldest);
    if (oldest.magic != 0xcafebeef || oldest.size < sizeof oldest || oldest.version < NCCL_VERSION(2, 14, 0)) {
        wrong("ncclCommInitRankConfig: the configuration was not initialised");
        return ncclInvalidArgument;
    }
    Card *card = current();
    std::uint64_t own;
    std::memcpy(&own, &id, sizeof own);
    if (card == nullptr || own == 0 || rank < 0 || rank >= ranks) {
        wrong("ncclCommInitRankConfig: rank %d of %d", rank, ranks);
        return ncclInvalidArgument;
    }
    const std::lock_guard lock(registry);
    auto &clique = cliques[own];
    if (clique == nullptr) {
        clique = std::make_shared<Clique>(ranks);
    }
    auto *made = new ncclComm{clique, rank, card, oldest.blocking != 0};
    {
        std::unique_lock inside(clique->mutex);
        for (int other : clique->cards) {
            if (other == card->number || clique->ranks != ranks) {
                wrong("ncclCommInitRankConfig: card %d twice, or ranks that differ", card->number);
                clique->error = ncclInvalidUsage;
            }
        }
        clique->cards[static_cast<std::size_t>(rank)] = card->number;
        clique->joined++;
        clique->changed.notify_all();
        if (made->blocking) {
            fatal("communicators that block are not provided");
        }
    }
    open_communicators.insert(made);
    *handle = made;
    return ncclInProgress;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t handle, ncclResult_t *error) {
    ncclComm *communicator = known("ncclCommGetAsyncError", handle);
    if (communicator == nullptr) {
        return ncclInvalidArgument;
    }
    *error = communicator->state();
    return ncclSuccess;
}

ncclResult_t ncclGroupStart() {
    depth++;
    return ncclSuccess;
}

ncclResult_t ncclGroupEnd() {
    if (depth == 0) {
        wrong("ncclGroupEnd: no group");
        return ncclInvalidUsage;
    }
    return --depth == 0 ? launch() : ncclSuccess;
}

ncclResult_t ncclAllReduce(const void *send, void *receive, std::size_t count, ncclDataType_t type, ncclRedOp_t op,
                           ncclComm_t handle, cudaStream_t stream_handle) {
    ncclComm *communicator = known("ncclAllReduce", handle);
    Stream *stream = stream_of("ncclAllReduce", reinterpret_cast<CUstream>(stream_handle));
    if (communicator == nullptr || stream == nullptr || stream->card != communicator->card) {
        return ncclInvalidArgument;
    }
    if (type != ncclFloat32 || op != ncclSum) {
        fatal("ncclAllReduce: only sums of f32 are provided");
    }
    if (communicator->state() == ncclInProgress) {
        wrong("ncclAllReduce: the communicator is still at work on an earlier call");
        return ncclInvalidUsage;
    }
    const auto from = reinterpret_cast<std::uint64_t>(send), to = reinterpret_cast<std::uint64_t>(receive);
    for (const std::uint64_t address : {from, to}) {
        if (!names_memory("ncclAllReduce", communicator->card->number, address, count * sizeof(float))) {
            return ncclInvalidArgument;
        }
    }
    auto &own = group[communicator];
    if (named("HOST_NCCL_REFUSE", communicator->rank, communicator->asked + own.size())) {
        return ncclSystemError;
    }
    own.push_back(Collective{from, to, count, stream});
    return depth == 0 ? launch() : ncclSuccess;
}

ncclResult_t ncclCommAbort(ncclComm_t handle) {
    ncclComm *communicator = known("ncclCommAbort", handle);
    if (communicator == nullptr) {
        return ncclInvalidArgument;
    }
    {
        const std::lock_guard lock(registry);
        open_communicators.erase(communicator);
    }
    const auto clique = communicator->clique;
    {
        std::unique_lock lock(clique->mutex);
        communicator->aborted = true;
        clique->changed.notify_all();
        clique->changed.wait(lock, [&] { return !communicator->launching && communicator->running == 0; });
        clique->left++;
    }
    delete communicator;
    return ncclSuccess;
}

} // extern "C"

// Runs after the program's own end.
[[gnu::destructor]] static void tell() {
    if (!open_communicators.empty()) {
        wrong("%zu communicators were left open", open_communicators.size());
    }
}
