// Runs a kernel on the host: block after block, each with 256 threads at once, which live as long as the
// program. The barriers are the system's, whose threads sleep while they wait: there are many more of
// them than processors.
#pragma once

#include <pthread.h>

#include <functional>
#include <thread>
#include <vector>

#include <cuda_bf16.h>

constexpr unsigned int BLOCK_THREADS = 256;

class Block {
    pthread_barrier_t begin, end, inside;
    std::function<void()> work;
    std::vector<std::thread> threads;

  public:
    Block() {
        // The caller waits with them at the begin and the end of each kernel.
        pthread_barrier_init(&begin, nullptr, BLOCK_THREADS + 1);
        pthread_barrier_init(&end, nullptr, BLOCK_THREADS + 1);
        pthread_barrier_init(&inside, nullptr, BLOCK_THREADS);
        for (unsigned int thread = 0; thread < BLOCK_THREADS; thread++) {
            threads.emplace_back([this, thread] {
                threadIdx = {thread, 0, 0};
                for (pthread_barrier_wait(&begin); work; pthread_barrier_wait(&begin)) {
                    work();
                    pthread_barrier_wait(&end);
                }
            });
        }
    }
    ~Block() {
        work = nullptr;
        pthread_barrier_wait(&begin);
        for (auto &thread : threads) {
            thread.join();
        }
    }
    void run(std::function<void()> kernel) {
        work = std::move(kernel);
        pthread_barrier_wait(&begin);
        pthread_barrier_wait(&end);
    }
    void wait() { pthread_barrier_wait(&inside); }
};
extern Block block;

template <class... Parameters, class... Arguments>
void launch(unsigned int x, unsigned int y, void (*kernel)(Parameters...), Arguments... arguments) {
    gridDim = {x, y, 1};
    block.run([=] {
        for (unsigned int row = 0; row < y; row++) {
            for (unsigned int column = 0; column < x; column++) {
                blockIdx = {column, row, 0};
                kernel(static_cast<Parameters>(arguments)...);
                // The next block uses the same shared memory.
                if (row + 1 < y || column + 1 < x) {
                    __syncthreads();
                }
            }
        }
    });
}
