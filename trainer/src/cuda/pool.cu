// Max pool with windows that may overlap. The winner is the first of equals, and NaN before all, as on
// the CPU; backward, every input value looks for the windows that it won.
#include "kernels.cuh"

template <class T>
__device__ void max_pool(const T *in, T *out, u8 *winners, u32 rows, u32 height, u32 width, u32 channels,
                         u32 kernel, u32 step, u32 out_height, u32 out_width) {
    const u64 n = (u64)rows * out_height * out_width * channels;
    for (u64 i = first(); i < n; i += stride()) {
        const u32 c = i % channels;
        const u64 pixel = i / channels;
        const u32 x = pixel % out_width, y = pixel / out_width % out_height;
        const u64 row = pixel / ((u64)out_width * out_height);
        const u64 corner = ((row * height + (u64)y * step) * width + (u64)x * step) * channels + c;
        float best = -INFINITY;
        u32 place = 0;
        for (u32 dy = 0; dy < kernel; dy++) {
            for (u32 dx = 0; dx < kernel; dx++) {
                const float value = load(in, corner + ((u64)dy * width + dx) * channels);
                if (value > best || value != value) {
                    best = value;
                    place = dy * kernel + dx;
                }
            }
        }
        store(out, i, best);
        winners[i] = (u8)place;
    }
}

template <class T>
__device__ void max_pool_backward(const u8 *winners, const T *out_gradient, T *in_gradient, u32 rows,
                                  u32 height, u32 width, u32 channels, u32 kernel, u32 step,
                                  u32 out_height, u32 out_width) {
    const u64 n = (u64)rows * height * width * channels;
    for (u64 i = first(); i < n; i += stride()) {
        const u32 c = i % channels;
        const u64 pixel = i / channels;
        const u32 x = pixel % width, y = pixel / width % height;
        const u64 row = pixel / ((u64)width * height);
        // Windows whose first row is at most y and whose last is at least y.
        const u32 top = y < kernel ? 0 : (y - kernel) / step + 1;
        const u32 left = x < kernel ? 0 : (x - kernel) / step + 1;
        float sum = 0.0f;
        for (u32 oy = top; oy < out_height && oy * step <= y; oy++) {
            for (u32 ox = left; ox < out_width && ox * step <= x; ox++) {
                const u64 at = ((row * out_height + oy) * out_width + ox) * channels + c;
                if (winners[at] == (y - oy * step) * kernel + (x - ox * step)) {
                    sum += load(out_gradient, at);
                }
            }
        }
        store(in_gradient, i, sum);
    }
}

#define POOL(T, suffix)                                                                             \
    extern "C" __global__ void max_pool_##suffix(const T *in, T *out, u8 *winners, u32 rows,        \
                                                 u32 height, u32 width, u32 channels, u32 kernel,   \
                                                 u32 step, u32 out_height, u32 out_width) {         \
        max_pool<T>(in, out, winners, rows, height, width, channels, kernel, step, out_height,      \
                    out_width);                                                                     \
    }                                                                                               \
    extern "C" __global__ void max_pool_backward_##suffix(                                          \
        const u8 *winners, const T *out_gradient, T *in_gradient, u32 rows, u32 height, u32 width,  \
        u32 channels, u32 kernel, u32 step, u32 out_height, u32 out_width) {                        \
        max_pool_backward<T>(winners, out_gradient, in_gradient, rows, height, width, channels,     \
                             kernel, step, out_height, out_width);                                  \
    }
POOL(float, f32)
POOL(bf16, bf16)
