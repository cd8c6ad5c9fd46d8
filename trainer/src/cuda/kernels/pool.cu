// Max pool with windows that may overlap. The winner is the first of equals, and NaN before all, as on
// the CPU; backward, every input value looks for the windows that it won.
//
// A thread has N channels of a pixel: a pack where the channels are a whole number of packs, else one.
// Input and output may each have their channels in two columns: two tensors, one behind the other, each
// with half of the channels of all images. So a pool joins columns or takes channels apart on the way.
#include "kernels.cuh"

struct Pool {
    u32 rows, height, width, channels, kernel, step, out_height, out_width;
    // Channels of a pixel that lie together: all or half of them.
    u32 in_part, out_part;
};

// A pixel and the first channel of a thread, by the number of its N values, which 32 bits hold (see
// kernels.md).
struct Spot {
    u32 row, y, x, c;
};

template <u32 N> __device__ inline Spot spot(u32 i, u32 rows, u32 height, u32 width, u32 part) {
    const u32 pixel = i / (part / N), line = pixel / width, image = line / height;
    const u32 column = image >= rows;
    Spot at;
    at.c = column * part + (i - pixel * (part / N)) * N;
    at.x = pixel - line * width;
    at.y = line - image * height;
    at.row = image - column * rows;
    return at;
}

// Where channel c of an image begins, and its column.
__device__ inline u64 channel(const Pool &p, u32 row, u32 c, u64 pixels, u32 part) {
    const u32 column = c >= part;
    return ((u64)column * p.rows + row) * pixels * part + (c - column * part);
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
        const Spot at = spot<N>((u32)i, p.rows, p.out_height, p.out_width, p.out_part);
        const u64 image = channel(p, at.row, at.c, (u64)p.height * p.width, p.in_part);
        const T *corner = in + image + ((u64)at.y * p.step * p.width + (u64)at.x * p.step) * p.in_part;
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
                load_few(corner + ((u64)dy * p.width + dx) * p.in_part, x);
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

// With the output of a pool whose input is what a ReLU has left, the gradient is that of the ReLU's input: a window
// whose largest value is 0 gives none.
template <class T, u32 N>
__device__ void pool_backward(const u8 *winners, const T *out, const T *out_gradient, T *in_gradient, u64 n,
                              const Pool &p) {
    for (u64 i = first(); i < n / N; i += stride()) {
        const Spot at = spot<N>((u32)i, p.rows, p.height, p.width, p.in_part);
        const u64 image = channel(p, at.row, at.c, (u64)p.out_height * p.out_width, p.out_part);
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
                const u64 from = image + ((u64)oy * p.out_width + ox) * p.out_part;
                const u32 here = (at.y - oy * p.step) * p.kernel + (at.x - ox * p.step);
                const Places<N> won = *reinterpret_cast<const Places<N> *>(winners + from);
                float g[N];
                load_few(out_gradient + from, g);
                if (out != nullptr) {
                    float y[N];
                    load_few(out + from, y);
#pragma unroll
                    for (u32 j = 0; j < N; j++) {
                        g[j] = y[j] > 0.0f ? g[j] : 0.0f;
                    }
                }
#pragma unroll
                for (u32 j = 0; j < N; j++) {
                    sum[j] += won.place[j] == here ? g[j] : 0.0f;
                }
            }
        }
        store_few(in_gradient + i * N, sum);
    }
}

// Whether no pack has channels of both columns.
template <u32 N> __device__ inline bool in_packs(const Pool &p) {
    return whole_packs<N>(p.in_part) && whole_packs<N>(p.out_part);
}

template <class T> __device__ void max_pool(const T *in, T *out, u8 *winners, const Pool &p) {
    constexpr u32 N = Few<T>::LEN;
    const u64 n = (u64)p.rows * p.out_height * p.out_width * p.channels;
    if (in_packs<N>(p) && on_bound<N>(in) && on_bound<N>(out) && on_bound<N>(winners)) {
        pool_forward<T, N>(in, out, winners, n, p);
    } else {
        pool_forward<T, 1>(in, out, winners, n, p);
    }
}

template <class T>
__device__ void max_pool_backward(const u8 *winners, const T *out, const T *out_gradient, T *in_gradient, const Pool &p) {
    constexpr u32 N = Few<T>::LEN;
    const u64 n = (u64)p.rows * p.height * p.width * p.channels;
    if (in_packs<N>(p) && on_bound<N>(out) && on_bound<N>(out_gradient) && on_bound<N>(in_gradient) &&
        on_bound<N>(winners)) {
        pool_backward<T, N>(winners, out, out_gradient, in_gradient, n, p);
    } else {
        pool_backward<T, 1>(winners, out, out_gradient, in_gradient, n, p);
    }
}

// Channels in one tensor or two on each side.
#define SIZES                                                                                       \
    u32 rows, u32 height, u32 width, u32 channels, u32 kernel, u32 step, u32 out_height,            \
        u32 out_width, u32 in_columns, u32 out_columns
#define SHAPE                                                                                       \
    Pool { rows, height, width, channels, kernel, step, out_height, out_width,                      \
           channels / in_columns, channels / out_columns }

#define POOL(T, suffix)                                                                             \
    extern "C" __global__ void max_pool_##suffix(const T *in, T *out, u8 *winners, SIZES) {         \
        const Pool shape = SHAPE;                                                                   \
        max_pool<T>(in, out, winners, shape);                                                       \
    }                                                                                               \
    extern "C" __global__ void max_pool_backward_##suffix(                                          \
        const u8 *winners, const T *out, const T *out_gradient, T *in_gradient, SIZES) {            \
        const Pool shape = SHAPE;                                                                   \
        max_pool_backward<T>(winners, out, out_gradient, in_gradient, shape);                       \
    }
POOL(float, f32)
POOL(bf16, bf16)
