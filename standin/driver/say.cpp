#include "say.h"

#include <unistd.h>

#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <set>
#include <string>

namespace host {

// The exit code of a program that made a wrong call.
constexpr int WRONG = 86;

static std::atomic<int> wrongs;

static std::string text(const char *format, std::va_list list) {
    char line[1024];
    std::vsnprintf(line, sizeof line, format, list);
    return line;
}

static void line(const char *kind, const std::string &text) {
    std::fprintf(stderr, "host stand-in, %s: %s\n", kind, text.c_str());
}

void wrong(const char *format, ...) {
    std::va_list list;
    va_start(list, format);
    line("wrong", text(format, list));
    va_end(list);
    wrongs++;
}

void refused(const char *format, ...) {
    static std::mutex mutex;
    static std::set<std::string> told;
    std::va_list list;
    va_start(list, format);
    const std::string what = text(format, list);
    va_end(list);
    const std::lock_guard lock(mutex);
    if (told.insert(what).second) {
        line("refused", what);
    }
}

void fatal(const char *format, ...) {
    std::va_list list;
    va_start(list, format);
    line("fatal", text(format, list));
    va_end(list);
    std::abort();
}

std::uint64_t setting(const char *name, std::uint64_t otherwise) {
    const char *value = std::getenv(name);
    return value != nullptr && *value != 0 ? std::strtoull(value, nullptr, 10) : otherwise;
}

// Runs after the program's own end.
[[gnu::destructor]] static void tell() {
    if (wrongs > 0) {
        line("wrong", std::to_string(wrongs) + " wrong calls");
        std::fflush(nullptr);
        _exit(WRONG);
    }
}

} // namespace host
