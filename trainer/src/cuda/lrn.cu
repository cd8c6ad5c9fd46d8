// Response normalisation across channels: y = x s^-beta with s = k + scale * (sum of the squares of
// the neighbouring channels). Backward the scales of the neighbours are worked out again.
#include "scale.cuh"

// The scale at channel c of the pixel at `pixel`: neighbours from low to high, as on the CPU.
template <class T>
__device__ inline float scale_at(const T *pixel, u32 channels, u32 c, u32 half, float k, float scale) {
    const u32 from = c < half ? 0 : c - half;
    const u32 to = c + half < channels ? c + half : channels - 1;
    float sum = 0.0f;
    for (u32 near = from; near <= to; near++) {
        const float x = load(pixel, near);
        sum += x * x;
    }
    return k + scale * sum;
}

template <class T>
__device__ void lrn(const T *in, T *out, u64 n, u32 channels, u32 size, float k, float scale, float beta) {
    for (u64 i = first(); i < n; i += stride()) {
        const u32 c = i % channels;
        const T *pixel = in + (i - c);
        const float s = scale_at(pixel, channels, c, size / 2, k, scale);
        store(out, i, load(in, i) * powers(s, beta).scaled);
    }
}

template <class T>
__device__ void lrn_backward(const T *in, const T *out_gradient, T *in_gradient, u64 n, u32 channels,
                             u32 size, float k, float scale, float beta) {
    const u32 half = size / 2;
    const float factor = -2.0f * scale * beta;
    for (u64 i = first(); i < n; i += stride()) {
        const u32 c = i % channels;
        const T *pixel = in + (i - c);
        const T *gradients = out_gradient + (i - c);
        const u32 from = c < half ? 0 : c - half;
        const u32 to = c + half < channels ? c + half : channels - 1;
        float sum = 0.0f, own = 0.0f;
        for (u32 near = from; near <= to; near++) {
            const Powers p = powers(scale_at(pixel, channels, near, half, k, scale), beta);
            const float power = load(gradients, near) * p.scaled;
            sum += power * load(pixel, near) * p.inverse;
            if (near == c) {
                own = power;
            }
        }
        store(in_gradient, i, own + factor * sum * load(in, i));
    }
}

#define LRN(T, suffix)                                                                              \
    extern "C" __global__ void lrn_##suffix(const T *in, T *out, u64 n, u32 channels, u32 size,     \
                                            float k, float scale, float beta) {                     \
        lrn<T>(in, out, n, channels, size, k, scale, beta);                                         \
    }                                                                                               \
    extern "C" __global__ void lrn_backward_##suffix(const T *in, const T *out_gradient,            \
                                                     T *in_gradient, u64 n, u32 channels, u32 size, \
                                                     float k, float scale, float beta) {            \
        lrn_backward<T>(in, out_gradient, in_gradient, n, channels, size, k, scale, beta);          \
    }
LRN(float, f32)
LRN(bf16, bf16)
