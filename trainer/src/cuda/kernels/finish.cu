// From a batch to conv1's input, with zeros around each image. A pixel of that input is a pixel of the image with
// added channels of zeros, or a block of 4 by 4 of them, which conv1 moves over one by one (space to depth).
// `finish` takes bytes: a byte times the scale plus the offset with the image's colour shift, with two roundings, as
// in the loader; then, with a mean image, the difference of its pixel's mean from the channel's, as on the CPU.
// `place` takes values as the network sees them.
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

// Bytes, and what is done to those of an image, by channel.
struct Images {
    const u8 *bytes;
    const float *shifts;
    u32 height, width, before;
    float s0, s1, s2;
    double o0, o1, o2;
    Mean mean;
};

// One of three values.
template <class T> __device__ inline T of_three(u32 c, T a, T b, T other) { return c == 0 ? a : c == 1 ? b : other; }

// An image of bytes.
struct Image {
    const Images &images;
    u32 row;
    const u8 *bytes;
    float f0, f1, f2;

    __device__ Image(const Images &images, u32 row)
        : images(images), row(row), bytes(images.bytes + (u64)row * images.height * images.width * 3) {
        const float *shift = images.shifts + (u64)row * 3;
        f0 = (float)(images.o0 + (double)shift[0]);
        f1 = (float)(images.o1 + (double)shift[1]);
        f2 = (float)(images.o2 + (double)shift[2]);
    }
    // Channel c of pixel (y, x), which is one of the image.
    __device__ float at(u32 y, u32 x, u32 c) const {
        const float byte = (float)bytes[(y * images.width + x) * 3 + c];
        float value = byte * of_three(c, images.s0, images.s1, images.s2) + of_three(c, f0, f1, f2);
        if (images.mean.difference != nullptr) {
            value += mean_at(images.mean, row, y, x, images.height, images.width)[c];
        }
        return value;
    }
};

// Images as the network sees them.
struct Seen {
    const float *values;
    u32 height, width, before;
};

struct SeenImage {
    const float *values;
    u32 width;

    __device__ SeenImage(const Seen &seen, u32 row)
        : values(seen.values + (u64)row * seen.height * seen.width * 3), width(seen.width) {}
    __device__ float at(u32 y, u32 x, u32 c) const { return values[(y * width + x) * 3 + c]; }
};

// The canvas in blocks: a block of SIDE by SIDE pixels is one pixel of its `channels` channels, with the
// rows of its pixels one after the other. What is left of them is zeros.
struct Blocks {
    u32 height, width, channels;
};

// A thread has N channels of a block.
template <class Image, class T, u32 SIDE, u32 N, class Images>
__device__ void fill(const Images &images, T *out, u32 rows, const Blocks &b) {
    const u32 packs = b.channels / N;
    const u64 n = (u64)rows * b.height * b.width * packs;
    for (u64 i = first(); i < n; i += stride()) {
        // 32 bits hold the number of a value (see kernels.md), and divide faster.
        const u32 block = (u32)i / packs, first_channel = ((u32)i - block * packs) * N;
        const u32 line = block / b.width, row = line / b.height;
        // Before the padding this is below 0, and wraps to what is no pixel either.
        const u32 left = (block - line * b.width) * SIDE - images.before;
        const u32 top = (line - row * b.height) * SIDE - images.before;
        const Image image(images, row);
        float values[N];
#pragma unroll
        for (u32 j = 0; j < N; j++) {
            const u32 channel = first_channel + j, pixel = channel / 3, c = channel - pixel * 3;
            const u32 y = top + pixel / SIDE, x = left + pixel % SIDE;
            const bool is_pixel = pixel < SIDE * SIDE && y < images.height && x < images.width;
            values[j] = is_pixel ? image.at(y, x, c) : 0.0f;
        }
        if constexpr (N == 1) {
            store(out, i, values[0]);
        } else {
            store_pack<N>(out + i * N, values);
        }
    }
}

template <class Image, class T, u32 SIDE, class Images>
__device__ void fill_blocks(const Images &images, T *out, u32 rows, const Blocks &b) {
    constexpr u32 N = Few<T>::LEN;
    if (whole_packs<N>(b.channels) && on_bound<N>(out)) {
        fill<Image, T, SIDE, N>(images, out, rows, b);
    } else {
        fill<Image, T, SIDE, 1>(images, out, rows, b);
    }
}

template <class Image, class T, class Images>
__device__ void fill_canvas(const Images &images, T *out, u32 rows, const Blocks &b, u32 block) {
    if (block == 4) {
        fill_blocks<Image, T, 4>(images, out, rows, b);
    } else {
        fill_blocks<Image, T, 1>(images, out, rows, b);
    }
}

#define FINISH(name, T)                                                                             \
    extern "C" __global__ void name(const u8 *bytes, const float *shifts, T *out, float s0,         \
                                    float s1, float s2, double o0, double o1, double o2,            \
                                    const float *difference, const u32 *places, u32 side, u32 rows, \
                                    u32 height, u32 width, u32 before, u32 out_height,              \
                                    u32 out_width, u32 channels, u32 block) {                       \
        const Mean mean{difference, places, side};                                                  \
        const Images images{bytes, shifts, height, width, before, s0, s1, s2, o0, o1, o2, mean};    \
        fill_canvas<Image>(images, out, rows, Blocks{out_height, out_width, channels}, block);      \
    }
FINISH(finish_f32, float)
FINISH(finish_bf16, bf16)

#define PLACE(name, T)                                                                              \
    extern "C" __global__ void name(const float *values, T *out, u32 rows, u32 height, u32 width,   \
                                    u32 before, u32 out_height, u32 out_width, u32 channels,        \
                                    u32 block) {                                                    \
        const Seen seen{values, height, width, before};                                             \
        fill_canvas<SeenImage>(seen, out, rows, Blocks{out_height, out_width, channels}, block);    \
    }
PLACE(place_f32, float)
PLACE(place_bf16, bf16)
