// Runs a kernel's blocks one after the other on one thread of the host. The threads of a block run one
// after the other as well until they end or reach __syncthreads, where each leaves its stack and the
// next begins; so a kernel without barriers costs no more than calls.
#pragma once

#include <functional>

namespace host {

struct Grid {
    unsigned int x, y, z;
    // Threads of a block, in one row.
    unsigned int threads;
};

// Ends the program if some threads of a block end while others wait at a barrier. One grid at a time,
// since a block's shared memory is the kernels' static memory.
void run_grid(const char *kernel, const Grid &grid, const std::function<void()> &thread);

} // namespace host
