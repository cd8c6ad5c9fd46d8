// Casts, conv1's kernels over blocks of pixels and with added channels, and sums of gradients.
#include "kernels.cuh"

extern "C" __global__ void cast_f32_bf16(const float *in, bf16 *out, u64 n) {
    for (u64 i = first(); i < n; i += stride()) {
        store(out, i, in[i]);
    }
}

extern "C" __global__ void cast_bf16_f32(const bf16 *in, float *out, u64 n) {
    for (u64 i = first(); i < n; i += stride()) {
        out[i] = load(in, i);
    }
}

// Square kernels of `side` pixels of `few` channels, and the same over blocks of `block` pixels a side, each
// a pixel of `many` channels with the rows of its pixels one after the other. What is left is zeros.
struct Patch {
    u32 side, few, block, many;
    __device__ u32 blocks() const { return (side + block - 1) / block; }
};

template <class T> __device__ void widen(const float *in, T *out, u32 kernels, const Patch &p) {
    const u32 blocks = p.blocks(), patch = blocks * blocks * p.many;
    for (u64 i = first(); i < (u64)kernels * patch; i += stride()) {
        const u32 kernel = (u32)i / patch, within = (u32)i - kernel * patch;
        const u32 at = within / p.many, channel = within - at * p.many;
        const u32 pixel = channel / p.few, c = channel - pixel * p.few;
        const u32 y = at / blocks * p.block + pixel / p.block, x = at % blocks * p.block + pixel % p.block;
        const bool there = pixel < p.block * p.block && y < p.side && x < p.side;
        store(out, i, there ? in[(((u64)kernel * p.side + y) * p.side + x) * p.few + c] : 0.0f);
    }
}

template <class T> __device__ void narrow(const T *in, float *out, u32 kernels, const Patch &p) {
    const u32 blocks = p.blocks(), patch = p.side * p.side * p.few;
    for (u64 i = first(); i < (u64)kernels * patch; i += stride()) {
        const u32 kernel = (u32)i / patch, within = (u32)i - kernel * patch;
        const u32 at = within / p.few, c = within - at * p.few, y = at / p.side, x = at % p.side;
        const u32 pixel = y % p.block * p.block + x % p.block;
        const u64 block = ((u64)kernel * blocks + y / p.block) * blocks + x / p.block;
        out[i] = load(in, block * p.many + pixel * p.few + c);
    }
}

template <class T> __device__ void add_scaled(const T *in, float *sum, float share, u32 begins, u64 n) {
    u64 done = 0;
    if (on_bound<4>(in) && on_bound<4>(sum)) {
        done = n - n % 4;
        for (u64 i = first() * 4; i < done; i += stride() * 4) {
            float x[4], s[4] = {0.0f, 0.0f, 0.0f, 0.0f};
            load_pack<4>(in + i, x);
            if (!begins) {
                load_pack<4>(sum + i, s);
            }
#pragma unroll
            for (u32 j = 0; j < 4; j++) {
                s[j] = s[j] + share * x[j];
            }
            store_pack<4>(sum + i, s);
        }
    }
    for (u64 i = done + first(); i < n; i += stride()) {
        sum[i] = (begins ? 0.0f : sum[i]) + share * load(in, i);
    }
}

#define VALUES(T, suffix)                                                                           \
    extern "C" __global__ void widen_##suffix(const float *in, T *out, u32 kernels, u32 side,       \
                                              u32 few, u32 block, u32 many) {                       \
        widen<T>(in, out, kernels, Patch{side, few, block, many});                                  \
    }                                                                                               \
    extern "C" __global__ void narrow_##suffix(const T *in, float *out, u32 kernels, u32 side,      \
                                               u32 few, u32 block, u32 many) {                      \
        narrow<T>(in, out, kernels, Patch{side, few, block, many});                                 \
    }                                                                                               \
    extern "C" __global__ void add_scaled_##suffix(const T *in, float *sum, float share,            \
                                                   u32 begins, u64 n) {                             \
        add_scaled<T>(in, sum, share, begins, n);                                                   \
    }
VALUES(float, f32)
VALUES(bf16, bf16)
