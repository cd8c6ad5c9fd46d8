// From a batch's bytes to conv1's input: normalised, with the image's colour shift and zeros around it. A
// pixel of that input is a pixel of the image with added channels of zeros, or a block of 4 by 4 of them,
// which conv1 moves over one by one (space to depth). A byte times the scale plus the offset, with two roundings, as in the loader;
// then, with a mean image, the difference of its pixel's mean from the channel's, as on the CPU.
#include "kernels.cuh"

// What the mean image subtracts from the images: null pointers without one.
struct Mean {
    // [side, side, 3]
    const float *difference;
    // Of each image the first row and column of its part, and whether that is mirrored.
    const u32 *places;
    u32 side;
};

// The three values for pixel (y, x) of image `row`, of `height` by `width` pixels, which are no more than
// the mean image has. A place outside is clamped.
__device__ inline const float *mean_at(const Mean &mean, u64 row, u32 y, u32 x, u32 height, u32 width) {
    const u32 *place = mean.places + row * 3;
    const u32 last_row = mean.side - height, last_column = mean.side - width;
    const u32 top = place[0] < last_row ? place[0] : last_row;
    const u32 left = place[1] < last_column ? place[1] : last_column;
    const u32 column = left + (place[2] ? width - 1 - x : x);
    return mean.difference + ((u64)(top + y) * mean.side + column) * 3;
}

// What is done to the bytes of an image, by channel.
struct Images {
    const u8 *bytes;
    u32 height, width, before;
    float s0, s1, s2;
    double o0, o1, o2;
};

// The canvas in blocks: a block of SIDE by SIDE pixels is one pixel of its `channels` channels, with the
// rows of its pixels one after the other. What is left of them is zeros.
struct Blocks {
    u32 height, width, channels;
};

// One of three values.
template <class T> __device__ inline T of_three(u32 c, T a, T b, T other) { return c == 0 ? a : c == 1 ? b : other; }

// A thread has N channels of a block.
template <class T, u32 SIDE, u32 N>
__device__ void finish(const Images &images, const float *shifts, T *out, const Mean &mean, u32 rows, const Blocks &b) {
    const u32 packs = b.channels / N;
    const u64 n = (u64)rows * b.height * b.width * packs;
    for (u64 i = first(); i < n; i += stride()) {
        // 32 bits hold the number of a value (see kernels.md), and divide faster.
        const u32 block = (u32)i / packs, first_channel = ((u32)i - block * packs) * N;
        const u32 line = block / b.width, row = line / b.height;
        // Before the padding this is below 0, and wraps to what is no pixel either.
        const u32 left = (block - line * b.width) * SIDE - images.before;
        const u32 top = (line - row * b.height) * SIDE - images.before;
        const u8 *bytes = images.bytes + (u64)row * images.height * images.width * 3;
        const float *shift = shifts + (u64)row * 3;
        const float f0 = (float)(images.o0 + (double)shift[0]);
        const float f1 = (float)(images.o1 + (double)shift[1]);
        const float f2 = (float)(images.o2 + (double)shift[2]);
        float values[N];
#pragma unroll
        for (u32 j = 0; j < N; j++) {
            const u32 channel = first_channel + j, pixel = channel / 3, c = channel - pixel * 3;
            const u32 y = top + pixel / SIDE, x = left + pixel % SIDE;
            values[j] = 0.0f;
            if (pixel < SIDE * SIDE && y < images.height && x < images.width) {
                const float byte = (float)bytes[(y * images.width + x) * 3 + c];
                values[j] = byte * of_three(c, images.s0, images.s1, images.s2) + of_three(c, f0, f1, f2);
                if (mean.difference != nullptr) {
                    values[j] += mean_at(mean, row, y, x, images.height, images.width)[c];
                }
            }
        }
        if constexpr (N == 1) {
            store(out, i, values[0]);
        } else {
            store_pack<N>(out + i * N, values);
        }
    }
}

template <class T, u32 SIDE>
__device__ void finish_blocks(const Images &images, const float *shifts, T *out, const Mean &mean, u32 rows,
                              const Blocks &b) {
    constexpr u32 N = Few<T>::LEN;
    if (whole_packs<N>(b.channels) && on_bound<N>(out)) {
        finish<T, SIDE, N>(images, shifts, out, mean, rows, b);
    } else {
        finish<T, SIDE, 1>(images, shifts, out, mean, rows, b);
    }
}

#define FINISH(name, T)                                                                             \
    extern "C" __global__ void name(const u8 *bytes, const float *shifts, T *out, float s0,         \
                                    float s1, float s2, double o0, double o1, double o2,            \
                                    const float *difference, const u32 *places, u32 side, u32 rows, \
                                    u32 height, u32 width, u32 before, u32 out_height,              \
                                    u32 out_width, u32 channels, u32 block) {                       \
        const Images images{bytes, height, width, before, s0, s1, s2, o0, o1, o2};                  \
        const Mean mean{difference, places, side};                                                  \
        const Blocks blocks{out_height, out_width, channels};                                       \
        if (block == 4) {                                                                           \
            finish_blocks<T, 4>(images, shifts, out, mean, rows, blocks);                           \
        } else {                                                                                    \
            finish_blocks<T, 1>(images, shifts, out, mean, rows, blocks);                           \
        }                                                                                           \
    }
FINISH(finish_f32, float)
FINISH(finish_bf16, bf16)
