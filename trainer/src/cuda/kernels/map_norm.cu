// Response normalisation within each channel's map, over a square of pixels cut off at the edge.
// Backward the scales of the neighbours are computed again: only one recipe has such a layer.
#include "scale.cuh"

struct Map {
    u32 height, width, channels, half;
    float k, scale;
};

// The scale at (y, x) of one channel of an image: along the rows first, then across them.
template <class T> __device__ inline float scale_at(const T *image, const Map &m, u32 y, u32 x, u32 c) {
    const u32 top = y < m.half ? 0 : y - m.half, left = x < m.half ? 0 : x - m.half;
    const u32 bottom = y + m.half < m.height ? y + m.half : m.height - 1;
    const u32 right = x + m.half < m.width ? x + m.half : m.width - 1;
    float sum = 0.0f;
    for (u32 ny = top; ny <= bottom; ny++) {
        float line = 0.0f;
        for (u32 nx = left; nx <= right; nx++) {
            const float value = load(image, ((u64)ny * m.width + nx) * m.channels + c);
            line += value * value;
        }
        sum += line;
    }
    return m.k + m.scale * sum;
}

template <class T> __device__ void map_norm(const T *in, T *out, u32 rows, const Map &m, float beta) {
    const u64 len = (u64)m.height * m.width * m.channels;
    for (u64 i = first(); i < rows * len; i += stride()) {
        const u32 pixel = (u32)i / m.channels, c = (u32)i - pixel * m.channels;
        const u32 x = pixel % m.width, y = pixel / m.width % m.height;
        const T *image = in + i / len * len;
        store(out, i, load(in, i) * powers<false>(scale_at(image, m, y, x, c), beta).scaled);
    }
}

template <class T>
__device__ void map_norm_backward(const T *in, const T *out_gradient, T *in_gradient, u32 rows, const Map &m,
                                  float beta) {
    const u64 len = (u64)m.height * m.width * m.channels;
    const float factor = -2.0f * m.scale * beta;
    for (u64 i = first(); i < rows * len; i += stride()) {
        const u32 pixel = (u32)i / m.channels, c = (u32)i - pixel * m.channels;
        const u32 x = pixel % m.width, y = pixel / m.width % m.height;
        const u64 begin = i / len * len;
        const T *image = in + begin, *gradients = out_gradient + begin;
        const u32 top = y < m.half ? 0 : y - m.half, left = x < m.half ? 0 : x - m.half;
        const u32 bottom = y + m.half < m.height ? y + m.half : m.height - 1;
        const u32 right = x + m.half < m.width ? x + m.half : m.width - 1;
        float sum = 0.0f, own = 0.0f;
        for (u32 ny = top; ny <= bottom; ny++) {
            float line = 0.0f;
            for (u32 nx = left; nx <= right; nx++) {
                const u64 near = ((u64)ny * m.width + nx) * m.channels + c;
                const Powers p = powers<false>(scale_at(image, m, ny, nx, c), beta);
                const float power = load(gradients, near) * p.scaled;
                line += power * load(image, near) * p.inverse;
                if (ny == y && nx == x) {
                    own = power;
                }
            }
            sum += line;
        }
        store(in_gradient, i, own + factor * sum * load(in, i));
    }
}

#define MAP_NORM(T, suffix)                                                                         \
    extern "C" __global__ void map_norm_##suffix(const T *in, T *out, u32 rows, u32 height,         \
                                                 u32 width, u32 channels, u32 size, float k,        \
                                                 float scale, float beta) {                         \
        map_norm<T>(in, out, rows, Map{height, width, channels, size / 2, k, scale}, beta);         \
    }                                                                                               \
    extern "C" __global__ void map_norm_backward_##suffix(                                          \
        const T *in, const T *out_gradient, T *in_gradient, u32 rows, u32 height, u32 width,        \
        u32 channels, u32 size, float k, float scale, float beta) {                                 \
        map_norm_backward<T>(in, out_gradient, in_gradient, rows,                                   \
                             Map{height, width, channels, size / 2, k, scale}, beta);               \
    }
MAP_NORM(float, f32)
MAP_NORM(bf16, bf16)
