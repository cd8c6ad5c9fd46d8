// Casts, channels added to a parameter and taken from its gradient, and sums of gradients.
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

template <class T> __device__ void widen(const float *in, T *out, u64 pixels, u32 few, u32 many) {
    for (u64 i = first(); i < pixels * many; i += stride()) {
        const u32 c = i % many;
        store(out, i, c < few ? in[i / many * few + c] : 0.0f);
    }
}

template <class T> __device__ void narrow(const T *in, float *out, u64 pixels, u32 few, u32 many) {
    for (u64 i = first(); i < pixels * few; i += stride()) {
        out[i] = load(in, i / few * many + i % few);
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
    extern "C" __global__ void widen_##suffix(const float *in, T *out, u64 pixels, u32 few,         \
                                              u32 many) {                                           \
        widen<T>(in, out, pixels, few, many);                                                       \
    }                                                                                               \
    extern "C" __global__ void narrow_##suffix(const T *in, float *out, u64 pixels, u32 few,        \
                                               u32 many) {                                          \
        narrow<T>(in, out, pixels, few, many);                                                      \
    }                                                                                               \
    extern "C" __global__ void add_scaled_##suffix(const T *in, float *sum, float share,            \
                                                   u32 begins, u64 n) {                             \
        add_scaled<T>(in, sum, share, begins, n);                                                   \
    }
VALUES(float, f32)
VALUES(bf16, bf16)
