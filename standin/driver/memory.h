// A card's memory: every allocation is a block of its own between pages that nobody may touch, filled
// with bytes of 0xFF (no numbers) until somebody writes it. Its end lies on such a page but for what
// the alignment of 256 bytes leaves, and those bytes are looked at when it is freed. An address is
// never used twice, so what is used after it was freed is seen too.
#pragma once

#include <cstddef>
#include <cstdint>

namespace host {

typedef std::uint64_t Address;

// A block of `bytes` on a card, or 0 where its memory is full. `ready` says whether it may be used at
// once; else `set_ready` says so, in the order of a stream.
Address allocate(int card, std::size_t bytes, bool ready);
void set_ready(Address block);

// In the order of calls: that nobody may name the block any more. False if there is no such block.
bool give_up(int card, Address block);
// In the order of a stream: takes the memory away.
void release(Address block);

std::size_t used(int card);
std::size_t live_blocks(int card);

// Whether an address is in any card's memory, live or not.
bool on_card(Address address);

// In the order of calls: whether `bytes` from here lie within a block of this card that was not given
// up; says what is wrong if not.
bool names_memory(const char *what, int card, Address address, std::size_t bytes);

// In the order of a stream: ends the program unless `bytes` from here may be used now.
void touch(const char *what, int card, Address address, std::size_t bytes);

// The bytes from an address to the end of its block, 0 if it is in none.
std::size_t room(Address address);

// Memory of the host that a card reads and writes itself.
void *allocate_pinned(std::size_t bytes);
bool free_pinned(void *memory);
// Whether all of these bytes are pinned; ends the program if only some are.
bool is_pinned(const void *memory, std::size_t bytes);
// Counts copies under way, which pinned memory must outlive.
void begin_copy(const void *memory);
void end_copy(const void *memory);

} // namespace host
