// Cards: their number, their attributes, and the context of each.
//
// HOST_CARDS is their number (1), HOST_CARD_MEMORY the bytes of each (6 GiB), HOST_CARD_CAPABILITY the
// compute capability times ten (90).
#pragma once

#include <cuda.h>

#include <cstddef>
#include <set>

namespace host {

struct Stream;

// A card is its own context.
struct Card {
    int number = 0;
    // How often the context was retained and not released.
    int retained = 0;
    // Where NULL is given for a stream.
    Stream *null_stream = nullptr;
    std::set<Stream *> streams;
    // Modules and events that are open, which a program should close before the context.
    int modules = 0, events = 0;
    // The other cards that the pool of its memory is open to.
    std::set<int> open_to;
};

constexpr int MOST_CARDS = 16;

int card_count();
std::size_t card_memory();
int capability();
Card *card(int number);

// The card of the calling thread's context, or null.
Card *current();

// Whether a card may read and write another's memory.
bool may_touch(int card, int owner);

// Whether a pointer is a context that is open.
bool is_context(CUcontext context);

} // namespace host
