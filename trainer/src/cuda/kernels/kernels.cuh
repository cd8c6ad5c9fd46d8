// What all kernels share: types, loads and stores of both kinds of value, and sums in a fixed order.
//
// Kernels are templates over the type of activations, with a C name for each type. A block has BLOCK
// threads. Nothing here uses atomics, so every kernel gives the same bits every time.
#pragma once

#include <cuda_bf16.h>

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;
typedef __nv_bfloat16 bf16;

// Threads of a block; kernels/mod.rs has the same number.
constexpr u32 BLOCK = 256;

__device__ inline float load(const float *values, u64 i) { return values[i]; }
__device__ inline float load(const bf16 *values, u64 i) { return __bfloat162float(values[i]); }
__device__ inline void store(float *values, u64 i, float value) { values[i] = value; }
__device__ inline void store(bf16 *values, u64 i, float value) {
    values[i] = __float2bfloat16_rn(value);
}

// The first value of a thread that strides over many, and its stride.
__device__ inline u64 first() { return (u64)blockIdx.x * BLOCK + threadIdx.x; }
__device__ inline u64 stride() { return (u64)gridDim.x * BLOCK; }

// Values that are moved at once: 16 bytes of them, or as many as others that are.
template <class T> struct Few {
    static constexpr u32 LEN = 16 / sizeof(T);
};

template <class T, u32 N> struct alignas(sizeof(T) * N) Pack {
    u32 words[sizeof(T) * N / 4];
};

// Whether packs of N values may be read or written from here on.
template <u32 N, class T> __device__ inline bool on_bound(const T *values) {
    return reinterpret_cast<u64>(values) % (sizeof(T) * N) == 0;
}

template <u32 N, class T> __device__ inline void load_pack(const T *from, float (&values)[N]) {
    const Pack<T, N> pack = *reinterpret_cast<const Pack<T, N> *>(from);
    T raw[N];
    memcpy(raw, &pack, sizeof pack);
#pragma unroll
    for (u32 j = 0; j < N; j++) {
        values[j] = load(raw, j);
    }
}

template <u32 N, class T> __device__ inline void store_pack(T *to, const float (&values)[N]) {
    T raw[N];
#pragma unroll
    for (u32 j = 0; j < N; j++) {
        store(raw, j, values[j]);
    }
    Pack<T, N> pack;
    memcpy(&pack, raw, sizeof pack);
    *reinterpret_cast<Pack<T, N> *>(to) = pack;
}

// Whether rows of `channels` values are a whole number of packs each.
template <u32 N> __device__ inline bool whole_packs(u32 channels) { return channels % N == 0; }

// The sum of one value of each thread, in an order that is always the same; every thread gets it.
__device__ inline double block_sum(double value, double *shared) {
    const u32 thread = threadIdx.x;
    shared[thread] = value;
    __syncthreads();
    for (u32 half = BLOCK / 2; half > 0; half /= 2) {
        if (thread < half) {
            shared[thread] += shared[thread + half];
        }
        __syncthreads();
    }
    const double sum = shared[0];
    __syncthreads();
    return sum;
}
