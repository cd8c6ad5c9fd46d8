#include "clique.h"

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <thread>

#include "../memory.h"
#include "../say.h"

namespace host {

// Values that a rank sums up at a time: the sum begins with another rank for each such piece, as around
// a ring, so that the order of a sum is not that of the ranks.
constexpr std::size_t PIECE = 1000;

static void sum(const Clique &clique, const Meeting &meeting) {
    const std::size_t count = meeting.parts[0]->count, ranks = static_cast<std::size_t>(clique.ranks);
    std::vector<float> total(count);
    for (std::size_t i = 0; i < count; i++) {
        for (std::size_t turn = 0; turn < ranks; turn++) {
            const Collective &part = *meeting.parts[(i / PIECE + turn) % ranks];
            const float value = reinterpret_cast<const float *>(part.send)[i];
            total[i] = turn == 0 ? value : total[i] + value;
        }
    }
    for (const Collective *part : meeting.parts) {
        std::memcpy(reinterpret_cast<void *>(part->receive), total.data(), count * sizeof(float));
    }
}

bool named(const char *setting, int rank, std::uint64_t number) {
    const char *value = std::getenv(setting);
    return value != nullptr && value == std::to_string(rank) + ":" + std::to_string(number);
}

static void late() {
    static const std::uint64_t seed = setting("HOST_CARD_DELAY", 0);
    if (seed != 0) {
        thread_local std::mt19937 random(static_cast<unsigned>(seed));
        std::this_thread::sleep_for(std::chrono::microseconds(random() % 2000));
    }
}

} // namespace host

using namespace host;

ncclResult_t ncclComm::state() {
    const std::lock_guard lock(clique->mutex);
    if (clique->error != ncclSuccess) {
        return clique->error;
    }
    return clique->joined < clique->ranks || launching ? ncclInProgress : ncclSuccess;
}

void ncclComm::launch(std::vector<Collective> collectives) {
    std::uint64_t number;
    {
        const std::lock_guard lock(clique->mutex);
        number = asked;
        asked += collectives.size();
        running += collectives.size();
        launching = !blocking;
    }
    auto put = [this, number, collectives = std::move(collectives)]() mutable {
        for (const Collective &own : collectives) {
            queue(own.stream, "ncclAllReduce", [this, number, own] { meet(number, own); });
            number++;
        }
    };
    if (blocking) {
        put();
        return;
    }
    std::thread([this, put]() mutable {
        late();
        put();
        // The communicator lives until this is false.
        const auto alive = clique;
        const std::lock_guard lock(alive->mutex);
        launching = false;
        alive->changed.notify_all();
    }).detach();
}

void ncclComm::meet(std::uint64_t number, const Collective &own) {
    const auto alive = clique;
    for (const std::uint64_t address : {own.send, own.receive}) {
        touch("ncclAllReduce", card->number, address, own.count * sizeof(float));
    }
    std::unique_lock lock(alive->mutex);
    Meeting &meeting = alive->meetings[number];
    if (meeting.parts.empty()) {
        meeting.parts.resize(static_cast<std::size_t>(alive->ranks));
    }
    if (named("HOST_NCCL_FAIL", rank, number)) {
        alive->error = ncclRemoteError;
    }
    for (const Collective *other : meeting.parts) {
        if (other != nullptr && other->count != own.count) {
            wrong("ncclAllReduce: rank %d sums up %zu values, another %zu", rank, own.count, other->count);
            alive->error = ncclInternalError;
        }
    }
    // NCCL 2.14 to 2.22 writes into the buffers of the process's other cards itself.
    for (const int other : alive->cards) {
        if (!may_touch(other, card->number)) {
            wrong("ncclAllReduce: the memory of card %d is closed to card %d", card->number, other);
            alive->error = ncclUnhandledCudaError;
        }
    }
    meeting.parts[static_cast<std::size_t>(rank)] = &own;
    meeting.present++;
    if (alive->error == ncclSuccess && meeting.present == static_cast<unsigned>(alive->ranks)) {
        sum(*alive, meeting);
        meeting.done = true;
    }
    alive->changed.notify_all();
    alive->changed.wait(lock, [&] { return meeting.done || aborted; });
    meeting.parts[static_cast<std::size_t>(rank)] = nullptr;
    if (--meeting.present == 0 && meeting.done) {
        alive->meetings.erase(number);
    }
    running--;
    alive->changed.notify_all();
}
