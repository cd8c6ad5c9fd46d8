// What the kernels need of CUDA, for a compiler of the host: found instead of the toolkit's header of
// this name. A block's threads are real threads, and __syncthreads is a barrier among them.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

using std::memcpy;

#define __global__
#define __device__
// Blocks run one after the other, so one copy serves them all.
#define __shared__ static

struct Place {
    unsigned int x, y, z;
};

extern thread_local Place threadIdx, blockIdx;
extern Place gridDim;
void __syncthreads();

inline float rsqrtf(float value) { return 1.0f / std::sqrt(value); }

struct __nv_bfloat16 {
    std::uint16_t bits;
};

inline float __bfloat162float(__nv_bfloat16 value) {
    const std::uint32_t bits = static_cast<std::uint32_t>(value.bits) << 16;
    float result;
    std::memcpy(&result, &bits, sizeof result);
    return result;
}

// To nearest, ties to even; NaN stays NaN.
inline __nv_bfloat16 __float2bfloat16_rn(float value) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    if (value != value) {
        return {static_cast<std::uint16_t>(bits >> 16 | 0x40)};
    }
    bits += 0x7FFF + (bits >> 16 & 1);
    return {static_cast<std::uint16_t>(bits >> 16)};
}
