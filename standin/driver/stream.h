// Streams and events: each stream is a thread with a queue, so that work is done later than it is asked
// for. HOST_CARD_DELAY, a seed, makes it late by random times as well.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <thread>

#include "card.h"

namespace host {

// What copies from the host are called.
inline constexpr char TO_CARD[] = "copy to the card";

struct Task {
    const char *what;
    std::function<void()> work;
};

struct Stream {
    Card *card;
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<Task> tasks;
    // Tasks that were queued, and that are done.
    std::uint64_t queued = 0, done = 0;
    bool closing = false;
    std::mt19937 random;
    std::thread thread;

    explicit Stream(Card *card);
    void run();
    void late(const Task &task);
};

// A moment of a stream.
struct Moment {
    std::mutex mutex;
    std::condition_variable changed;
    bool reached = false;
    std::chrono::steady_clock::time_point at;

    void reach();
    void wait();
};

struct Event {
    Card *card;
    // Whether it keeps the time of its moments.
    bool has_time;
    std::mutex mutex;
    // What was recorded last; null before.
    std::shared_ptr<Moment> recorded;
};

// The stream of a handle that the calling thread may use with its context, the context's own where the
// handle is null; null after it said what is wrong.
Stream *stream_of(const char *what, CUstream handle);
// The same of a stream's handle whatever the thread's context.
Stream *known_stream(CUstream handle);

void queue(Stream *stream, const char *what, std::function<void()> work);
void synchronize(Stream *stream);
void synchronize(Card &card);
void destroy(Stream *stream);

// What the calling thread does for a stream, for messages.
extern thread_local const char *doing;

} // namespace host
