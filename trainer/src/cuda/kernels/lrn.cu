// Response normalisation across channels: y = x s^-beta with s = k + scale * (sum of the squares of
// the neighbouring channels). Backward the scales of the neighbours are computed again.
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

// Five channels, whole packs: a thread has N channels of a pixel and reads the packs beside them too,
// which its neighbours have brought into the cache. Values beyond both ends are zeros.
template <class T, u32 N>
__device__ inline void three_packs(const T *at, u32 channel, u32 channels, float (&values)[3 * N]) {
    float pack[N];
#pragma unroll
    for (u32 part = 0; part < 3; part++) {
        const bool outside = part == 0 ? channel == 0 : part == 2 && channel + N == channels;
        if (!outside) {
            load_pack<N>(at + (i64)part * N - N, pack);
        }
#pragma unroll
        for (u32 j = 0; j < N; j++) {
            values[part * N + j] = outside ? 0.0f : pack[j];
        }
    }
}

// The scale at place `i` of three packs.
template <u32 LEN>
__device__ inline float scale_of_five(const float (&x)[LEN], u32 i, float k, float scale) {
    return k + scale * (x[i - 2] * x[i - 2] + x[i - 1] * x[i - 1] + x[i] * x[i] + x[i + 1] * x[i + 1] +
                        x[i + 2] * x[i + 2]);
}

template <class T>
__device__ void lrn_of_five(const T *in, T *out, u64 n, u32 channels, float k, float scale, float beta) {
    constexpr u32 N = Few<T>::LEN;
    for (u64 i = first(); i < n / N; i += stride()) {
        const u32 channel = (u32)i % (channels / N) * N;
        float x[3 * N], y[N];
        three_packs<T, N>(in + i * N, channel, channels, x);
#pragma unroll
        for (u32 j = 0; j < N; j++) {
            y[j] = x[N + j] * powers(scale_of_five(x, N + j, k, scale), beta).scaled;
        }
        store_pack<N>(out + i * N, y);
    }
}

template <class T>
__device__ void lrn_of_five_backward(const T *in, const T *out_gradient, T *in_gradient, u64 n, u32 channels,
                                     float k, float scale, float beta) {
    constexpr u32 N = Few<T>::LEN;
    const float factor = -2.0f * scale * beta;
    for (u64 i = first(); i < n / N; i += stride()) {
        const u32 channel = (u32)i % (channels / N) * N;
        float x[3 * N], dy[3 * N];
        three_packs<T, N>(in + i * N, channel, channels, x);
        three_packs<T, N>(out_gradient + i * N, channel, channels, dy);
        // dy s^-beta, and dy y / s, of the thread's channels and two on each side.
        float power[N + 4], ratio[N + 4], dx[N];
#pragma unroll
        for (u32 j = 0; j < N + 4; j++) {
            const u32 at = N - 2 + j;
            const Powers p = powers(scale_of_five(x, at, k, scale), beta);
            power[j] = dy[at] * p.scaled;
            ratio[j] = power[j] * x[at] * p.inverse;
        }
#pragma unroll
        for (u32 j = 0; j < N; j++) {
            const float sum = ratio[j] + ratio[j + 1] + ratio[j + 2] + ratio[j + 3] + ratio[j + 4];
            dx[j] = power[j + 2] + factor * sum * x[N + j];
        }
        store_pack<N>(in_gradient + i * N, dx);
    }
}

template <class T>
__device__ void lrn(const T *in, T *out, u64 n, u32 channels, u32 size, float k, float scale, float beta) {
    constexpr u32 N = Few<T>::LEN;
    if (size == 5 && whole_packs<N>(channels) && on_bound<N>(in) && on_bound<N>(out)) {
        lrn_of_five<T>(in, out, n, channels, k, scale, beta);
        return;
    }
    for (u64 i = first(); i < n; i += stride()) {
        const u32 c = (u32)i % channels;
        const T *pixel = in + (i - c);
        const float s = scale_at(pixel, channels, c, size / 2, k, scale);
        store(out, i, load(in, i) * powers(s, beta).scaled);
    }
}

template <class T>
__device__ void lrn_backward(const T *in, const T *out_gradient, T *in_gradient, u64 n, u32 channels,
                             u32 size, float k, float scale, float beta) {
    constexpr u32 N = Few<T>::LEN;
    if (size == 5 && whole_packs<N>(channels) && on_bound<N>(in) && on_bound<N>(out_gradient) &&
        on_bound<N>(in_gradient)) {
        lrn_of_five_backward<T>(in, out_gradient, in_gradient, n, channels, k, scale, beta);
        return;
    }
    const u32 half = size / 2;
    const float factor = -2.0f * scale * beta;
    for (u64 i = first(); i < n; i += stride()) {
        const u32 c = (u32)i % channels;
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
