#include "fault.h"

#include <signal.h>
#include <unistd.h>

#include <cstring>

#include "stream.h"

namespace host {

static struct sigaction before;

static void put(const char *text) { [[maybe_unused]] const auto written = write(STDERR_FILENO, text, std::strlen(text)); }

// Only calls that are allowed in a handler.
static void fault(int, siginfo_t *info, void *) {
    char address[19] = "0x";
    const auto value = reinterpret_cast<std::uintptr_t>(info->si_addr);
    for (int digit = 0; digit < 16; digit++) {
        address[2 + digit] = "0123456789abcdef"[value >> (60 - 4 * digit) & 15];
    }
    if (doing != nullptr) {
        put("host stand-in, fatal: ");
        put(doing);
        put(" touched ");
        put(address);
        put(", which is in no allocation\n");
    }
    // What was there before has the last word: the instruction runs again.
    sigaction(SIGSEGV, &before, nullptr);
}

void watch_faults() {
    struct sigaction action = {};
    action.sa_sigaction = fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigaction(SIGSEGV, &action, &before);
}

} // namespace host
