// What the stand-ins tell on stderr, and what they are told by the environment.
#pragma once

#include <cstdint>

namespace host {

// A call that NVIDIA's documentation forbids; the program ends with exit code 86 whatever it does then.
[[gnu::format(printf, 1, 2)]] void wrong(const char *format, ...);

// What a library refuses for good reasons, told once for each text.
[[gnu::format(printf, 1, 2)]] void refused(const char *format, ...);

// What would corrupt memory or stand still for ever on a card: ends the program here.
[[noreturn, gnu::format(printf, 1, 2)]] void fatal(const char *format, ...);

// A number from the environment, or `otherwise`.
std::uint64_t setting(const char *name, std::uint64_t otherwise);

} // namespace host
