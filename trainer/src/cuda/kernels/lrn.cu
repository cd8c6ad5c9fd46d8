// Response normalisation across channels: y = x s^-beta with s = k + scale * (sum of the squares of
// the neighbouring channels). Backward the scales of the neighbours are computed again. The channels may
// lie in two columns; neighbours across their border are then read from the other column.
//
// Where the input is what a ReLU has left, the gradient backward may at once become that of the ReLU's input.
//
// The kernels are bound by their arithmetic: bf16 and TF32 have a fast kind of it (scale.cuh).
#include "scale.cuh"

// Where the channels of a pixel lie: together, or in two columns, each a tensor of its own.
struct Columns {
    // Channels of a pixel, and those of them that lie together.
    u32 channels, part;
    // Values of one tensor, and so from a pixel's channels in one to those in the other.
    u64 apart;
};

// A value's channel, and the first value of its pixel.
struct OfPixel {
    u32 channel;
    u64 pixel;
};

__device__ inline OfPixel of_pixel(const Columns &k, u64 i) {
    const u32 column = i >= k.apart;
    const u64 within = i - column * k.apart;
    const u32 c = (u32)within % k.part;
    return OfPixel{column * k.part + c, within - c};
}

// Channel c of the pixel at `pixel`.
template <class T> __device__ inline float at_channel(const T *pixel, const Columns &k, u32 c) {
    return load(pixel, c < k.part ? c : k.apart + (c - k.part));
}

// The scale at channel c of the pixel at `pixel`: neighbours from low to high, as on the CPU.
template <bool FAST, class T>
__device__ inline float scale_at(const T *pixel, const Columns &columns, u32 c, u32 half, float k, float scale) {
    const u32 from = c < half ? 0 : c - half;
    const u32 to = c + half < columns.channels ? c + half : columns.channels - 1;
    float sum = 0.0f;
    for (u32 near = from; near <= to; near++) {
        const float x = at_channel(pixel, columns, near);
        sum = product_and_sum<FAST>(x, x, sum);
    }
    return product_and_sum<FAST>(scale, sum, k);
}

// Five channels, whole packs: a thread has N channels of a pixel and reads the packs beside them too,
// which its neighbours have brought into the cache. These are beside it in memory, or at the border of
// the columns in the other one. Here are the ways to them, 0 where there is none.
struct Beside {
    i64 before, after;
};

template <u32 N> __device__ inline Beside beside(const Columns &k, u64 pack) {
    // Both columns begin with a whole pixel.
    const u32 channel = (u32)pack % (k.part / N) * N;
    const bool two = k.part < k.channels, second = pack * N >= k.apart;
    const i64 across = (i64)k.apart - k.part + N;
    Beside to{-(i64)N, N};
    if (channel == 0) {
        to.before = two && second ? -across : 0;
    }
    if (channel + N == k.part) {
        to.after = two && !second ? across : 0;
    }
    return to;
}

// Values beyond both ends are zeros.
template <class T, u32 N>
__device__ inline void three_packs(const T *at, const Beside &to, float (&values)[3 * N]) {
    float pack[N];
#pragma unroll
    for (u32 part = 0; part < 3; part++) {
        const i64 way = part == 0 ? to.before : part == 2 ? to.after : 0;
        const bool outside = part != 1 && way == 0;
        if (!outside) {
            load_pack<N>(at + way, pack);
        }
#pragma unroll
        for (u32 j = 0; j < N; j++) {
            values[part * N + j] = outside ? 0.0f : pack[j];
        }
    }
}

// The scales at COUNT places of three packs from place `from` on. The fast kind adds the squares by pairs, each of
// which serves two places.
template <bool FAST, u32 COUNT, u32 LEN>
__device__ inline void scales_of_five(const float (&x)[LEN], u32 from, float k, float scale, float (&scales)[COUNT]) {
    float squares[COUNT + 4];
#pragma unroll
    for (u32 j = 0; j < COUNT + 4; j++) {
        squares[j] = x[from - 2 + j] * x[from - 2 + j];
    }
#pragma unroll
    for (u32 j = 0; j < COUNT; j++) {
        if (FAST) {
            const float sum = (squares[j] + squares[j + 1]) + (squares[j + 2] + squares[j + 3]) + squares[j + 4];
            scales[j] = fmaf(scale, sum, k);
        } else {
            scales[j] = k + scale * (squares[j] + squares[j + 1] + squares[j + 2] + squares[j + 3] + squares[j + 4]);
        }
    }
}

template <bool FAST, bool USUAL, class T>
__device__ void lrn_of_five(const T *in, T *out, u64 n, const Columns &columns, float k, float scale, float beta) {
    constexpr u32 N = Few<T>::LEN;
    for (u64 i = first(); i < n / N; i += stride()) {
        float x[3 * N], y[N], scales[N];
        three_packs<T, N>(in + i * N, beside<N>(columns, i), x);
        scales_of_five<FAST>(x, N, k, scale, scales);
#pragma unroll
        for (u32 j = 0; j < N; j++) {
            y[j] = x[N + j] * powers<FAST, USUAL>(scales[j], beta).scaled;
        }
        store_pack<N>(out + i * N, y);
    }
}

template <bool FAST, bool USUAL, class T>
__device__ void lrn_of_five_backward(const T *in, const T *out_gradient, T *in_gradient, u64 n,
                                     const Columns &columns, float k, float scale, float beta, bool relu) {
    constexpr u32 N = Few<T>::LEN;
    const float factor = -2.0f * scale * beta;
    for (u64 i = first(); i < n / N; i += stride()) {
        const Beside to = beside<N>(columns, i);
        float x[3 * N], dy[3 * N];
        three_packs<T, N>(in + i * N, to, x);
        three_packs<T, N>(out_gradient + i * N, to, dy);
        // dy s^-beta, and dy y / s, of the thread's channels and two on each side.
        float power[N + 4], ratio[N + 4], dx[N], scales[N + 4];
        scales_of_five<FAST>(x, N - 2, k, scale, scales);
#pragma unroll
        for (u32 j = 0; j < N + 4; j++) {
            const u32 at = N - 2 + j;
            const Powers p = powers<FAST, USUAL>(scales[j], beta);
            power[j] = dy[at] * p.scaled;
            ratio[j] = power[j] * x[at] * p.inverse;
        }
#pragma unroll
        for (u32 j = 0; j < N; j++) {
            if (FAST) {
                const float sum = (ratio[j] + ratio[j + 1]) + (ratio[j + 2] + ratio[j + 3]) + ratio[j + 4];
                dx[j] = fmaf(factor * sum, x[N + j], power[j + 2]);
            } else {
                const float sum = ratio[j] + ratio[j + 1] + ratio[j + 2] + ratio[j + 3] + ratio[j + 4];
                dx[j] = power[j + 2] + factor * sum * x[N + j];
            }
            if (relu && !(x[N + j] > 0.0f)) {
                dx[j] = 0.0f;
            }
        }
        store_pack<N>(in_gradient + i * N, dx);
    }
}

template <bool FAST, class T>
__device__ void lrn(const T *in, T *out, u64 n, const Columns &columns, u32 size, float k, float scale, float beta) {
    constexpr u32 N = Few<T>::LEN;
    if (size == 5 && whole_packs<N>(columns.part) && on_bound<N>(in) && on_bound<N>(out)) {
        if (beta == USUAL_BETA) {
            lrn_of_five<FAST, true>(in, out, n, columns, k, scale, beta);
        } else {
            lrn_of_five<FAST, false>(in, out, n, columns, k, scale, beta);
        }
        return;
    }
    for (u64 i = first(); i < n; i += stride()) {
        const OfPixel own = of_pixel(columns, i);
        const float s = scale_at<FAST>(in + own.pixel, columns, own.channel, size / 2, k, scale);
        store(out, i, load(in, i) * powers<FAST>(s, beta).scaled);
    }
}

template <bool FAST, class T>
__device__ void lrn_backward(const T *in, const T *out_gradient, T *in_gradient, u64 n, const Columns &columns,
                             u32 size, float k, float scale, float beta, bool relu) {
    constexpr u32 N = Few<T>::LEN;
    if (size == 5 && whole_packs<N>(columns.part) && on_bound<N>(in) && on_bound<N>(out_gradient) &&
        on_bound<N>(in_gradient)) {
        if (beta == USUAL_BETA) {
            lrn_of_five_backward<FAST, true>(in, out_gradient, in_gradient, n, columns, k, scale, beta, relu);
        } else {
            lrn_of_five_backward<FAST, false>(in, out_gradient, in_gradient, n, columns, k, scale, beta, relu);
        }
        return;
    }
    const u32 half = size / 2;
    const float factor = -2.0f * scale * beta;
    for (u64 i = first(); i < n; i += stride()) {
        const OfPixel own = of_pixel(columns, i);
        const T *pixel = in + own.pixel, *gradients = out_gradient + own.pixel;
        const u32 c = own.channel, from = c < half ? 0 : c - half;
        const u32 to = c + half < columns.channels ? c + half : columns.channels - 1;
        float sum = 0.0f, power_here = 0.0f;
        for (u32 near = from; near <= to; near++) {
            const Powers p = powers<FAST>(scale_at<FAST>(pixel, columns, near, half, k, scale), beta);
            const float power = at_channel(gradients, columns, near) * p.scaled;
            sum += power * at_channel(pixel, columns, near) * p.inverse;
            if (near == c) {
                power_here = power;
            }
        }
        const float x = load(in, i);
        store(in_gradient, i, relu && !(x > 0.0f) ? 0.0f : power_here + factor * sum * x);
    }
}

// `n` values of pixels of `channels` channels, in one tensor or two.
__device__ inline Columns in_columns(u64 n, u32 channels, u32 columns) {
    return Columns{channels, channels / columns, n / columns};
}

#define LRN(T, suffix, FAST)                                                                             \
    extern "C" __global__ void lrn_##suffix(const T *in, T *out, u64 n, u32 channels, u32 columns,  \
                                            u32 size, float k, float scale, float beta) {           \
        lrn<FAST, T>(in, out, n, in_columns(n, channels, columns), size, k, scale, beta);                 \
    }                                                                                               \
    extern "C" __global__ void lrn_backward_##suffix(                                               \
        const T *in, const T *out_gradient, T *in_gradient, u64 n, u32 channels, u32 columns,       \
        u32 size, float k, float scale, float beta, u32 relu) {                                     \
        lrn_backward<FAST, T>(in, out_gradient, in_gradient, n, in_columns(n, channels, columns), size,   \
                        k, scale, beta, relu != 0);                                                 \
    }
LRN(float, f32, false)
LRN(float, tf32, true)
LRN(bf16, bf16, true)
