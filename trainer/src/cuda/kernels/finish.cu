// From a batch's bytes to conv1's input: normalised, with the image's colour shift, zeros around it and
// in the added channels. A byte times the scale plus the offset, with two roundings, as in the loader;
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

template <class T>
__device__ void finish(const u8 *images, const float *shifts, T *out, float s0, float s1, float s2,
                       double o0, double o1, double o2, const Mean &mean, u32 rows, u32 height,
                       u32 width, u32 before, u32 out_height, u32 out_width, u32 channels) {
    constexpr u32 N = Few<T>::LEN;
    const bool packs = channels == N && on_bound<N>(out);
    const u64 pixels = (u64)rows * out_height * out_width;
    for (u64 pixel = first(); pixel < pixels; pixel += stride()) {
        // 32 bits hold the number of a pixel (see kernels.md), and divide faster.
        const u32 at = (u32)pixel, line = at / out_width, x = at - line * out_width;
        const u32 y = line % out_height;
        const u64 row = line / out_height;
        float values[3] = {0.0f, 0.0f, 0.0f};
        if (x >= before && x - before < width && y >= before && y - before < height) {
            const u8 *bytes = images + ((row * height + (y - before)) * width + (x - before)) * 3;
            const float *shift = shifts + row * 3;
            values[0] = (float)bytes[0] * s0 + (float)(o0 + (double)shift[0]);
            values[1] = (float)bytes[1] * s1 + (float)(o1 + (double)shift[1]);
            values[2] = (float)bytes[2] * s2 + (float)(o2 + (double)shift[2]);
            if (mean.difference != nullptr) {
                const float *own = mean_at(mean, row, y - before, x - before, height, width);
                values[0] += own[0];
                values[1] += own[1];
                values[2] += own[2];
            }
        }
        T *target = out + pixel * channels;
        if (packs) {
            float whole[N] = {values[0], values[1], values[2]};
            store_pack<N>(target, whole);
        } else {
            for (u32 c = 0; c < channels; c++) {
                store(target, c, c < 3 ? values[c] : 0.0f);
            }
        }
    }
}

#define FINISH(name, T)                                                                             \
    extern "C" __global__ void name(const u8 *images, const float *shifts, T *out, float s0,        \
                                    float s1, float s2, double o0, double o1, double o2,            \
                                    const float *difference, const u32 *places, u32 side, u32 rows, \
                                    u32 height, u32 width, u32 before, u32 out_height,              \
                                    u32 out_width, u32 channels) {                                  \
        finish<T>(images, shifts, out, s0, s1, s2, o0, o1, o2, Mean{difference, places, side},      \
                  rows, height, width, before, out_height, out_width, channels);                    \
    }
FINISH(finish_f32, float)
FINISH(finish_bf16, bf16)
