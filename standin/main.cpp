// Runs every kernel on the host against its definition, which each file here writes out in plain code,
// over odd sizes and over memory on and off the bounds of packs. Prints a line for each kernel, and fails
// if one differs.
#include <cstdio>

#include "check.h"
#include "launch.h"

thread_local Place threadIdx, blockIdx;
Place gridDim;
Block block;
void __syncthreads() { block.wait(); }

void image_kernels();
void norm_kernels();
void row_kernels();
void loss_kernels();
void sgd_kernels();

int main() {
    image_kernels();
    norm_kernels();
    row_kernels();
    loss_kernels();
    sgd_kernels();
    int cases = 0;
    for (const auto &[kernel, line] : lines) {
        std::printf("%-26s %3d cases, largest error %.2g, tolerance %.2g\n", kernel.c_str(), line.cases, line.error, line.tolerance);
        cases += line.cases;
    }
    std::printf("%d cases of %zu kernels %s\n", cases, lines.size(), all_hold ? "hold" : "do not all hold");
    return all_hold ? 0 : 1;
}
