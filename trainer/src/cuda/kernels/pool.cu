// Max pool with windows that may overlap. The winner is the first of equals, and NaN before all, as on
// the CPU; backward, every input value looks for the windows that it won.
//
// A thread has N channels of a pixel: a pack where the channels are a whole number of packs, else one.
#include "kernels.cuh"

struct Pool {
    u32 height, width, channels, kernel, step, out_height, out_width;
};

// A pixel and the first channel of a thread, by the number of its N values, which 32 bits hold (see
// kernels.md).
struct Spot {
    u64 row;
    u32 y, x, c;
};

template <u32 N> __device__ inline Spot spot(u32 i, u32 height, u32 width, u32 channels) {
    const u32 pixel = i / (channels / N), line = pixel / width, row = line / height;
    Spot at;
    at.c = (i - pixel * (channels / N)) * N;
    at.x = pixel - line * width;
    at.y = line - row * height;
    at.row = row;
    return at;
}

// One value is its own pack, wherever it lies.
template <class T> __device__ inline void load_few(const T *from, float (&values)[1]) {
    values[0] = load(from, 0);
}
template <class T, u32 N> __device__ inline void load_few(const T *from, float (&values)[N]) {
    load_pack<N>(from, values);
}
template <class T> __device__ inline void store_few(T *to, const float (&values)[1]) {
    store(to, 0, values[0]);
}
template <class T, u32 N> __device__ inline void store_few(T *to, const float (&values)[N]) {
    store_pack<N>(to, values);
}

// Winners as bytes in words.
template <u32 N> struct alignas(N) Places {
    u8 place[N];
};

template <class T, u32 N>
__device__ void pool_forward(const T *in, T *out, u8 *winners, u64 n, const Pool &p) {
    for (u64 i = first(); i < n / N; i += stride()) {
        const Spot at = spot<N>((u32)i, p.out_height, p.out_width, p.channels);
        const T *corner = in + ((at.row * p.height + (u64)at.y * p.step) * p.width + (u64)at.x * p.step) * p.channels + at.c;
        float best[N];
        u32 places[N];
#pragma unroll
        for (u32 j = 0; j < N; j++) {
            best[j] = -INFINITY;
            places[j] = 0;
        }
        for (u32 dy = 0; dy < p.kernel; dy++) {
            for (u32 dx = 0; dx < p.kernel; dx++) {
                float x[N];
                load_few(corner + ((u64)dy * p.width + dx) * p.channels, x);
#pragma unroll
                for (u32 j = 0; j < N; j++) {
                    if (x[j] > best[j] || x[j] != x[j]) {
                        best[j] = x[j];
                        places[j] = dy * p.kernel + dx;
                    }
                }
            }
        }
        Places<N> won;
#pragma unroll
        for (u32 j = 0; j < N; j++) {
            won.place[j] = (u8)places[j];
        }
        store_few(out + i * N, best);
        *reinterpret_cast<Places<N> *>(winners + i * N) = won;
    }
}

template <class T, u32 N>
__device__ void pool_backward(const u8 *winners, const T *out_gradient, T *in_gradient, u64 n, const Pool &p) {
    for (u64 i = first(); i < n / N; i += stride()) {
        const Spot at = spot<N>((u32)i, p.height, p.width, p.channels);
        // Windows whose first row is at most y and whose last is at least y.
        const u32 top = at.y < p.kernel ? 0 : (at.y - p.kernel) / p.step + 1;
        const u32 left = at.x < p.kernel ? 0 : (at.x - p.kernel) / p.step + 1;
        float sum[N];
#pragma unroll
        for (u32 j = 0; j < N; j++) {
            sum[j] = 0.0f;
        }
        for (u32 oy = top; oy < p.out_height && oy * p.step <= at.y; oy++) {
            for (u32 ox = left; ox < p.out_width && ox * p.step <= at.x; ox++) {
                const u64 from = ((at.row * p.out_height + oy) * p.out_width + ox) * p.channels + at.c;
                const u32 here = (at.y - oy * p.step) * p.kernel + (at.x - ox * p.step);
                const Places<N> won = *reinterpret_cast<const Places<N> *>(winners + from);
                float g[N];
                load_few(out_gradient + from, g);
#pragma unroll
                for (u32 j = 0; j < N; j++) {
                    sum[j] += won.place[j] == here ? g[j] : 0.0f;
                }
            }
        }
        store_few(in_gradient + i * N, sum);
    }
}

template <class T> __device__ void max_pool(const T *in, T *out, u8 *winners, u32 rows, const Pool &p) {
    constexpr u32 N = Few<T>::LEN;
    const u64 n = (u64)rows * p.out_height * p.out_width * p.channels;
    if (whole_packs<N>(p.channels) && on_bound<N>(in) && on_bound<N>(out) && on_bound<N>(winners)) {
        pool_forward<T, N>(in, out, winners, n, p);
    } else {
        pool_forward<T, 1>(in, out, winners, n, p);
    }
}

template <class T>
__device__ void max_pool_backward(const u8 *winners, const T *out_gradient, T *in_gradient, u32 rows, const Pool &p) {
    constexpr u32 N = Few<T>::LEN;
    const u64 n = (u64)rows * p.height * p.width * p.channels;
    if (whole_packs<N>(p.channels) && on_bound<N>(out_gradient) && on_bound<N>(in_gradient) && on_bound<N>(winners)) {
        pool_backward<T, N>(winners, out_gradient, in_gradient, n, p);
    } else {
        pool_backward<T, 1>(winners, out_gradient, in_gradient, n, p);
    }
}

#define POOL(T, suffix)                                                                             \
    extern "C" __global__ void max_pool_##suffix(const T *in, T *out, u8 *winners, u32 rows,        \
                                                 u32 height, u32 width, u32 channels, u32 kernel,   \
                                                 u32 step, u32 out_height, u32 out_width) {         \
        max_pool<T>(in, out, winners, rows,                                                         \
                    Pool{height, width, channels, kernel, step, out_height, out_width});            \
    }                                                                                               \
    extern "C" __global__ void max_pool_backward_##suffix(                                          \
        const u8 *winners, const T *out_gradient, T *in_gradient, u32 rows, u32 height, u32 width,  \
        u32 channels, u32 kernel, u32 step, u32 out_height, u32 out_width) {                        \
        max_pool_backward<T>(winners, out_gradient, in_gradient, rows,                              \
                             Pool{height, width, channels, kernel, step, out_height, out_width});   \
    }
POOL(float, f32)
POOL(bf16, bf16)
