// Runs a kernel on the host: block after block, each with 256 threads at once.
#pragma once

#include <barrier>
#include <thread>
#include <vector>

#include <cuda_bf16.h>

constexpr unsigned int BLOCK_THREADS = 256;

inline std::barrier<> *block_barrier = nullptr;

template <class... Parameters, class... Arguments>
void launch(unsigned int x, unsigned int y, void (*kernel)(Parameters...), Arguments... arguments) {
    std::barrier barrier(BLOCK_THREADS);
    block_barrier = &barrier;
    gridDim = {x, y, 1};
    std::vector<std::thread> threads;
    for (unsigned int thread = 0; thread < BLOCK_THREADS; thread++) {
        threads.emplace_back([=] {
            threadIdx = {thread, 0, 0};
            for (unsigned int row = 0; row < y; row++) {
                for (unsigned int column = 0; column < x; column++) {
                    blockIdx = {column, row, 0};
                    kernel(static_cast<Parameters>(arguments)...);
                    // The next block uses the same shared memory.
                    __syncthreads();
                }
            }
        });
    }
    for (auto &thread : threads) {
        thread.join();
    }
    block_barrier = nullptr;
}
