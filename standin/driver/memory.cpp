#include "memory.h"

#include <sys/mman.h>

#include <cstring>
#include <map>
#include <mutex>

#include "card.h"
#include "say.h"

namespace host {

constexpr std::size_t PAGE = 4096, ALIGN = 256;
// Addresses of a card: they are only reserved, and never used twice.
constexpr std::size_t ARENA = std::size_t{1} << 40;
// What stands around a block, and in it before it is written.
constexpr int BORDER = 0xC5, FRESH = 0xFF;

struct Block {
    int card;
    std::size_t bytes;
    // The pages that hold it.
    char *pages;
    std::size_t span;
    bool ready, given_up;
};

static std::mutex mutex;
static std::map<Address, Block> blocks;

struct Arena {
    char *begin = nullptr;
    std::size_t next = 0, used = 0;
};
static Arena arenas[MOST_CARDS];

static std::size_t up(std::size_t value, std::size_t to) { return (value + to - 1) / to * to; }

static Address address_of(const void *pointer) { return reinterpret_cast<Address>(pointer); }

// The block around an address; the mutex is held.
static std::map<Address, Block>::iterator around(Address address) {
    auto found = blocks.upper_bound(address);
    if (found == blocks.begin()) {
        return blocks.end();
    }
    --found;
    return address < found->first + found->second.bytes ? found : blocks.end();
}

Address allocate(int card, std::size_t bytes, bool ready) {
    const std::lock_guard lock(mutex);
    Arena &arena = arenas[card];
    if (arena.used + up(bytes, ALIGN) > card_memory()) {
        return 0;
    }
    if (arena.begin == nullptr) {
        void *begin = mmap(nullptr, ARENA, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (begin == MAP_FAILED) {
            fatal("no addresses for a card's memory");
        }
        arena.begin = static_cast<char *>(begin);
    }
    const std::size_t held = up(bytes, ALIGN), span = up(held, PAGE);
    char *pages = arena.begin + arena.next + PAGE;
    arena.next += span + PAGE;
    if (arena.next + PAGE > ARENA || mprotect(pages, span, PROT_READ | PROT_WRITE) != 0) {
        fatal("no host memory for %zu bytes of a card's", bytes);
    }
    char *begin = pages + span - held;
    std::memset(pages, BORDER, static_cast<std::size_t>(begin - pages));
    std::memset(begin, FRESH, bytes);
    std::memset(begin + bytes, BORDER, held - bytes);
    arena.used += held;
    blocks[address_of(begin)] = Block{card, bytes, pages, span, ready, false};
    return address_of(begin);
}

void set_ready(Address block) {
    const std::lock_guard lock(mutex);
    blocks.at(block).ready = true;
}

bool give_up(int card, Address block) {
    const std::lock_guard lock(mutex);
    const auto found = blocks.find(block);
    if (found == blocks.end() || found->second.given_up || found->second.card != card) {
        wrong("free of %#lx, which is no allocation of card %d", block, card);
        return false;
    }
    found->second.given_up = true;
    return true;
}

void release(Address block) {
    const std::lock_guard lock(mutex);
    const Block own = blocks.at(block);
    const char *begin = reinterpret_cast<char *>(block), *pages = own.pages, *end = pages + own.span;
    for (const char *at = pages; at < end; at++) {
        if (at == begin) {
            at += own.bytes;
        }
        if (at < end && static_cast<unsigned char>(*at) != BORDER) {
            fatal("card %d: a byte was written %td bytes from the begin of an allocation of %zu", own.card, at - begin, own.bytes);
        }
    }
    madvise(own.pages, own.span, MADV_DONTNEED);
    mprotect(own.pages, own.span, PROT_NONE);
    arenas[own.card].used -= up(own.bytes, ALIGN);
    blocks.erase(block);
}

std::size_t used(int card) {
    const std::lock_guard lock(mutex);
    return arenas[card].used;
}

std::size_t live_blocks(int card) {
    const std::lock_guard lock(mutex);
    std::size_t count = 0;
    for (const auto &[address, block] : blocks) {
        count += block.card == card;
    }
    return count;
}

bool on_card(Address address) {
    for (const Arena &arena : arenas) {
        if (arena.begin != nullptr && address - address_of(arena.begin) < ARENA) {
            return true;
        }
    }
    return false;
}

bool names_memory(const char *what, int card, Address address, std::size_t bytes) {
    const std::lock_guard lock(mutex);
    const auto found = around(address);
    if (found == blocks.end() || found->second.given_up) {
        wrong("%s: %#lx is in no allocation", what, address);
        return false;
    }
    if (found->second.card != card) {
        wrong("%s: %#lx is memory of card %d, not %d", what, address, found->second.card, card);
        return false;
    }
    if (found->first + found->second.bytes - address < bytes) {
        wrong("%s: %zu bytes from %#lx end behind its allocation", what, bytes, address);
        return false;
    }
    return true;
}

void touch(const char *what, int card, Address address, std::size_t bytes) {
    const std::lock_guard lock(mutex);
    const auto found = around(address);
    if (found == blocks.end() || found->second.card != card || !found->second.ready ||
        found->first + found->second.bytes - address < bytes) {
        fatal("%s on card %d: %zu bytes from %#lx are not its memory at this point of the stream", what, card, bytes, address);
    }
}

std::size_t room(Address address) {
    const std::lock_guard lock(mutex);
    const auto found = around(address);
    return found == blocks.end() ? 0 : found->first + found->second.bytes - address;
}

struct Pinned {
    std::size_t bytes;
    int copies;
};
static std::map<Address, Pinned> pinned;

// As `around`, of pinned memory.
static std::map<Address, Pinned>::iterator pinned_around(Address address) {
    auto found = pinned.upper_bound(address);
    if (found == pinned.begin()) {
        return pinned.end();
    }
    --found;
    return address < found->first + found->second.bytes ? found : pinned.end();
}

void *allocate_pinned(std::size_t bytes) {
    void *memory = mmap(nullptr, up(bytes, PAGE), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return nullptr;
    }
    std::memset(memory, FRESH, bytes);
    const std::lock_guard lock(mutex);
    pinned[address_of(memory)] = Pinned{bytes, 0};
    return memory;
}

bool free_pinned(void *memory) {
    const std::lock_guard lock(mutex);
    const auto found = pinned.find(address_of(memory));
    if (found == pinned.end()) {
        wrong("cuMemFreeHost of what is not pinned");
        return false;
    }
    if (found->second.copies > 0) {
        fatal("pinned memory is freed while copies use it");
    }
    munmap(memory, up(found->second.bytes, PAGE));
    pinned.erase(found);
    return true;
}

bool is_pinned(const void *memory, std::size_t bytes) {
    const std::lock_guard lock(mutex);
    const auto found = pinned_around(address_of(memory));
    if (found == pinned.end()) {
        return false;
    }
    if (found->first + found->second.bytes - address_of(memory) < bytes) {
        fatal("a copy of %zu bytes ends behind pinned memory", bytes);
    }
    return true;
}

void begin_copy(const void *memory) {
    const std::lock_guard lock(mutex);
    pinned_around(address_of(memory))->second.copies++;
}

void end_copy(const void *memory) {
    const std::lock_guard lock(mutex);
    pinned_around(address_of(memory))->second.copies--;
}

} // namespace host
