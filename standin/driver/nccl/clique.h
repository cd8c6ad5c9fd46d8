// What NCCL calls a clique: the ranks that work together, each with a communicator.
//
// A collective is queued on a stream of every rank and runs once all of them have reached it, in the order
// in which each rank queued them. One that differs between ranks, or that HOST_NCCL_FAIL names, never ends
// before it is aborted, and shows as an error of the communicators.
//
// HOST_NCCL_FAIL=R:N lets collective number N of rank R fail on the card, counted from 0, as a lost
// connection does; HOST_NCCL_REFUSE=R:N refuses the call of it, so that the others wait for it without
// end. HOST_CARD_DELAY, as with
// streams, makes what a communicator does by itself take random times.
#pragma once

#include <cuda.h>
#include <nccl.h>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "../card.h"
#include "../stream.h"

namespace host {

// A sum over all ranks, in place or not.
struct Collective {
    std::uint64_t send, receive;
    std::size_t count;
    Stream *stream;
};

// The collectives of one number, as the ranks bring them.
struct Meeting {
    std::vector<const Collective *> parts;
    unsigned present = 0;
    bool done = false;
};

// Whether a setting names this collective of this rank.
bool named(const char *setting, int rank, std::uint64_t number);

struct Clique {
    const int ranks;
    std::mutex mutex;
    std::condition_variable changed;
    // The card of each rank that has joined, -1 before.
    std::vector<int> cards;
    int joined = 0, left = 0;
    std::map<std::uint64_t, Meeting> meetings;
    // What went wrong, for every rank to see.
    ncclResult_t error = ncclSuccess;

    explicit Clique(int ranks) : ranks(ranks), cards(static_cast<std::size_t>(ranks), -1) {}
};

} // namespace host

// A communicator: a rank's place in a clique.
struct ncclComm {
    std::shared_ptr<host::Clique> clique;
    int rank;
    host::Card *card;
    bool blocking;
    // Guarded by the clique's mutex: collectives that were asked for, those whose end is not reached, and
    // whether a group is still on its way to the stream.
    std::uint64_t asked = 0, running = 0;
    bool launching = false, aborted = false;

    // Whether it was joined by all and is at rest; what is wrong otherwise, or that it is in progress.
    ncclResult_t state();
    // Puts collectives on their streams, at once or, if it does not block, some time later.
    void launch(std::vector<host::Collective> collectives);
    // On a stream: waits for the other ranks and sums up.
    void meet(std::uint64_t number, const host::Collective &own);
};
