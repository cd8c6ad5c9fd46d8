#include "stream.h"

#include <chrono>
#include <vector>

#include "say.h"

namespace host {

thread_local const char *doing = nullptr;

static std::mutex registry;
static std::set<Stream *> open_streams;
static std::set<Event *> open_events;

Stream::Stream(Card *card) : card(card), random(static_cast<unsigned>(setting("HOST_CARD_DELAY", 0))) {
    thread = std::thread([this] { run(); });
}

// One task in four starts up to three milliseconds late, and a copy from the host up to a second, as
// much as the host's own arithmetic takes: else it would always be there in time.
void Stream::late(const Task &task) {
    static const bool delays = setting("HOST_CARD_DELAY", 0) != 0;
    if (delays && random() % 4 == 0) {
        const unsigned most = task.what == TO_CARD ? 1'000'000 : 3'000;
        std::this_thread::sleep_for(std::chrono::microseconds(random() % most));
    }
}

void Stream::run() {
    std::unique_lock lock(mutex);
    for (;;) {
        changed.wait(lock, [&] { return closing || !tasks.empty(); });
        if (tasks.empty()) {
            return;
        }
        const Task task = std::move(tasks.front());
        tasks.pop_front();
        lock.unlock();
        late(task);
        doing = task.what;
        task.work();
        doing = nullptr;
        lock.lock();
        done++;
        changed.notify_all();
    }
}

void Moment::reach() {
    const std::lock_guard lock(mutex);
    reached = true;
    at = std::chrono::steady_clock::now();
    changed.notify_all();
}

void Moment::wait() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return reached; });
}

Stream *known_stream(CUstream handle) {
    const std::lock_guard lock(registry);
    Stream *stream = reinterpret_cast<Stream *>(handle);
    return open_streams.contains(stream) ? stream : nullptr;
}

Stream *stream_of(const char *what, CUstream handle) {
    Card *card = current();
    if (card == nullptr) {
        wrong("%s: this thread has no context", what);
        return nullptr;
    }
    if (handle == nullptr) {
        const std::lock_guard lock(registry);
        if (card->null_stream == nullptr) {
            card->null_stream = new Stream(card);
        }
        return card->null_stream;
    }
    Stream *stream = known_stream(handle);
    if (stream == nullptr) {
        wrong("%s: no stream", what);
    } else if (stream->card != card) {
        wrong("%s: a stream of card %d with the context of card %d", what, stream->card->number, card->number);
        return nullptr;
    }
    return stream;
}

void queue(Stream *stream, const char *what, std::function<void()> work) {
    const std::lock_guard lock(stream->mutex);
    stream->tasks.push_back(Task{what, std::move(work)});
    stream->queued++;
    stream->changed.notify_all();
}

void synchronize(Stream *stream) {
    std::unique_lock lock(stream->mutex);
    const std::uint64_t until = stream->queued;
    stream->changed.wait(lock, [&] { return stream->done >= until; });
}

void synchronize(Card &card) {
    std::vector<Stream *> streams;
    {
        const std::lock_guard lock(registry);
        streams.assign(card.streams.begin(), card.streams.end());
        if (card.null_stream != nullptr) {
            streams.push_back(card.null_stream);
        }
    }
    for (Stream *stream : streams) {
        synchronize(stream);
    }
}

// What is queued is done first, as on a card.
void destroy(Stream *stream) {
    {
        const std::lock_guard lock(stream->mutex);
        stream->closing = true;
        stream->changed.notify_all();
    }
    stream->thread.join();
    delete stream;
}

static Event *event_of(const char *what, CUevent handle) {
    const std::lock_guard lock(registry);
    Event *event = reinterpret_cast<Event *>(handle);
    if (!open_events.contains(event)) {
        wrong("%s: no event", what);
        return nullptr;
    }
    return event;
}

static std::shared_ptr<Moment> last(Event *event) {
    const std::lock_guard lock(event->mutex);
    return event->recorded;
}

} // namespace host

using namespace host;

extern "C" {

CUresult cuStreamCreate(CUstream *handle, unsigned int flags) {
    Card *card = current();
    if (card == nullptr) {
        return CUDA_ERROR_INVALID_CONTEXT;
    }
    if (flags != CU_STREAM_NON_BLOCKING) {
        fatal("streams that wait for the null stream are not provided");
    }
    Stream *stream = new Stream(card);
    const std::lock_guard lock(registry);
    open_streams.insert(stream);
    card->streams.insert(stream);
    *handle = reinterpret_cast<CUstream>(stream);
    return CUDA_SUCCESS;
}

CUresult cuStreamDestroy_v2(CUstream handle) {
    Stream *stream = stream_of("cuStreamDestroy", handle);
    if (stream == nullptr || handle == nullptr) {
        return CUDA_ERROR_INVALID_HANDLE;
    }
    {
        const std::lock_guard lock(registry);
        open_streams.erase(stream);
        stream->card->streams.erase(stream);
    }
    destroy(stream);
    return CUDA_SUCCESS;
}

CUresult cuStreamSynchronize(CUstream handle) {
    Stream *stream = stream_of("cuStreamSynchronize", handle);
    if (stream == nullptr) {
        return CUDA_ERROR_INVALID_HANDLE;
    }
    synchronize(stream);
    return CUDA_SUCCESS;
}

CUresult cuStreamIsCapturing(CUstream, CUstreamCaptureStatus *status) {
    *status = CU_STREAM_CAPTURE_STATUS_NONE;
    return CUDA_SUCCESS;
}

CUresult cuStreamWaitEvent(CUstream handle, CUevent event_handle, unsigned int) {
    Stream *stream = stream_of("cuStreamWaitEvent", handle);
    Event *event = event_of("cuStreamWaitEvent", event_handle);
    if (stream == nullptr || event == nullptr) {
        return CUDA_ERROR_INVALID_HANDLE;
    }
    // An event that was never recorded holds nobody up.
    if (auto moment = last(event)) {
        queue(stream, "wait for an event", [moment] { moment->wait(); });
    }
    return CUDA_SUCCESS;
}

CUresult cuEventCreate(CUevent *handle, unsigned int flags) {
    Card *card = current();
    if (card == nullptr) {
        return CUDA_ERROR_INVALID_CONTEXT;
    }
    Event *event = new Event;
    event->card = card;
    event->has_time = (flags & CU_EVENT_DISABLE_TIMING) == 0;
    const std::lock_guard lock(registry);
    open_events.insert(event);
    card->events++;
    *handle = reinterpret_cast<CUevent>(event);
    return CUDA_SUCCESS;
}

CUresult cuEventDestroy_v2(CUevent handle) {
    Event *event = event_of("cuEventDestroy", handle);
    if (event == nullptr) {
        return CUDA_ERROR_INVALID_HANDLE;
    }
    const std::lock_guard lock(registry);
    open_events.erase(event);
    event->card->events--;
    delete event;
    return CUDA_SUCCESS;
}

CUresult cuEventRecord(CUevent handle, CUstream stream_handle) {
    Event *event = event_of("cuEventRecord", handle);
    Stream *stream = stream_of("cuEventRecord", stream_handle);
    if (event == nullptr || stream == nullptr) {
        return CUDA_ERROR_INVALID_HANDLE;
    }
    if (event->card != stream->card) {
        wrong("cuEventRecord: event and stream of different cards");
        return CUDA_ERROR_INVALID_HANDLE;
    }
    auto moment = std::make_shared<Moment>();
    {
        const std::lock_guard lock(event->mutex);
        event->recorded = moment;
    }
    queue(stream, "record an event", [moment] { moment->reach(); });
    return CUDA_SUCCESS;
}

CUresult cuEventSynchronize(CUevent handle) {
    Event *event = event_of("cuEventSynchronize", handle);
    if (event == nullptr) {
        return CUDA_ERROR_INVALID_HANDLE;
    }
    if (auto moment = last(event)) {
        moment->wait();
    }
    return CUDA_SUCCESS;
}

CUresult cuEventQuery(CUevent handle) {
    Event *event = event_of("cuEventQuery", handle);
    if (event == nullptr) {
        return CUDA_ERROR_INVALID_HANDLE;
    }
    const auto moment = last(event);
    if (moment == nullptr) {
        return CUDA_SUCCESS;
    }
    const std::lock_guard lock(moment->mutex);
    return moment->reached ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY;
}

CUresult cuEventElapsedTime(float *milliseconds, CUevent start, CUevent end) {
    Event *const first = event_of("cuEventElapsedTime", start), *const second = event_of("cuEventElapsedTime", end);
    if (first == nullptr || second == nullptr) {
        return CUDA_ERROR_INVALID_HANDLE;
    }
    const auto from = last(first), to = last(second);
    if (!first->has_time || !second->has_time || from == nullptr || to == nullptr) {
        wrong("cuEventElapsedTime: an event without a time");
        return CUDA_ERROR_INVALID_HANDLE;
    }
    const std::scoped_lock lock(from->mutex, to->mutex);
    if (!from->reached || !to->reached) {
        return CUDA_ERROR_NOT_READY;
    }
    *milliseconds = std::chrono::duration<float, std::milli>(to->at - from->at).count();
    return CUDA_SUCCESS;
}

} // extern "C"
