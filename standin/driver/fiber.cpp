#include "fiber.h"

#include <cuda_bf16.h>
#include <sys/mman.h>

#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

#include "say.h"

thread_local Place threadIdx, blockIdx;
Place gridDim;

namespace host {

constexpr std::size_t STACK = 64 << 10;

#if defined(__x86_64__)
// A stack that was left: where it stands, with the registers that calls keep on it.
struct Context {
    void *stack = nullptr;
};
extern "C" void host_switch(Context *from, const Context *to);
asm(R"(
.text
.globl host_switch
.type host_switch, @function
host_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq (%rsi), %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size host_switch, . - host_switch
)");
static void begin(Context &context, char *stack, void (*entry)()) {
    void **top = reinterpret_cast<void **>(stack + STACK);
    // Where calls expect the stack: 8 bytes behind a multiple of 16, as after a call.
    *--top = nullptr;
    *--top = reinterpret_cast<void *>(entry);
    for (int saved = 0; saved < 6; saved++) {
        *--top = nullptr;
    }
    context.stack = top;
}
#else
struct Context {
    ucontext_t own;
};
static void host_switch(Context *from, const Context *to) { swapcontext(&from->own, &to->own); }
static void begin(Context &context, char *stack, void (*entry)()) {
    getcontext(&context.own);
    context.own.uc_stack.ss_sp = stack;
    context.own.uc_stack.ss_size = STACK;
    makecontext(&context.own, entry, 0);
}
#endif

struct Fiber {
    Context context;
    char *stack;
    unsigned int thread = 0;
};

// The block at hand.
struct Block {
    const std::function<void()> *body = nullptr;
    unsigned int threads = 0, begun = 0, ended = 0;
    Fiber *running = nullptr;
    Context scheduler;
    std::vector<std::unique_ptr<Fiber>> all;
    std::vector<Fiber *> idle;
    // Those at the barrier, and those that may leave it.
    std::deque<Fiber *> waiting, ready;

    void run(const char *kernel);
    void resume(Fiber *fiber, Context *from);
};
static Block block;

// What every fiber does: thread after thread, as long as there are any.
static void entry() {
    for (;;) {
        while (block.begun < block.threads) {
            Fiber *self = block.running;
            self->thread = block.begun++;
            threadIdx = {self->thread, 0, 0};
            (*block.body)();
            block.ended++;
        }
        Fiber *self = block.running;
        block.idle.push_back(self);
        host_switch(&self->context, &block.scheduler);
    }
}

void Block::resume(Fiber *fiber, Context *from) {
    running = fiber;
    threadIdx = {fiber->thread, 0, 0};
    host_switch(from, &fiber->context);
}

static Fiber *idle_fiber() {
    if (block.idle.empty()) {
        void *stack = mmap(nullptr, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (stack == MAP_FAILED) {
            fatal("no stack for a thread of a block");
        }
        auto fiber = std::make_unique<Fiber>();
        fiber->stack = static_cast<char *>(stack);
        begin(fiber->context, fiber->stack, entry);
        block.idle.push_back(fiber.get());
        block.all.push_back(std::move(fiber));
    }
    Fiber *fiber = block.idle.back();
    block.idle.pop_back();
    return fiber;
}

void Block::run(const char *kernel) {
    begun = ended = 0;
    resume(idle_fiber(), &scheduler);
    while (!waiting.empty()) {
        if (ended > 0) {
            fatal("%s: %u threads of a block ended while %zu wait at a barrier", kernel, ended, waiting.size());
        }
        ready.swap(waiting);
        while (!ready.empty()) {
            Fiber *next = ready.front();
            ready.pop_front();
            resume(next, &scheduler);
        }
    }
}

void run_grid(const char *kernel, const Grid &grid, const std::function<void()> &thread) {
    static std::mutex one_at_a_time;
    const std::lock_guard lock(one_at_a_time);
    gridDim = {grid.x, grid.y, grid.z};
    block.body = &thread;
    block.threads = grid.threads;
    for (unsigned int z = 0; z < grid.z; z++) {
        for (unsigned int y = 0; y < grid.y; y++) {
            for (unsigned int x = 0; x < grid.x; x++) {
                blockIdx = {x, y, z};
                block.run(kernel);
            }
        }
    }
}

} // namespace host

// The thread at hand waits; the next one begins, or leaves the barrier.
void __syncthreads() {
    using namespace host;
    Fiber *self = block.running;
    block.waiting.push_back(self);
    if (block.begun < block.threads) {
        block.resume(idle_fiber(), &self->context);
    } else if (!block.ready.empty()) {
        Fiber *next = block.ready.front();
        block.ready.pop_front();
        block.resume(next, &self->context);
    } else {
        host_switch(&self->context, &block.scheduler);
    }
}
