// From a batch's bytes to conv1's input: normalised, with the image's colour shift, zeros around it and
// in the added channels. A byte times the scale plus the offset, with two roundings, as in the loader.
#include "kernels.cuh"

struct alignas(16) Pack {
    u32 words[4];
};

template <class T>
__device__ void finish(const u8 *images, const float *shifts, T *out, float s0, float s1, float s2,
                       double o0, double o1, double o2, u32 rows, u32 height, u32 width, u32 before,
                       u32 out_height, u32 out_width, u32 channels) {
    constexpr u32 MOST = 16 / sizeof(T);
    const u64 pixels = (u64)rows * out_height * out_width;
    for (u64 pixel = first(); pixel < pixels; pixel += stride()) {
        const u32 x = pixel % out_width;
        const u32 y = pixel / out_width % out_height;
        const u64 row = pixel / ((u64)out_width * out_height);
        float values[3] = {0.0f, 0.0f, 0.0f};
        if (x >= before && x - before < width && y >= before && y - before < height) {
            const u8 *bytes = images + ((row * height + (y - before)) * width + (x - before)) * 3;
            const float *shift = shifts + row * 3;
            values[0] = (float)bytes[0] * s0 + (float)(o0 + (double)shift[0]);
            values[1] = (float)bytes[1] * s1 + (float)(o1 + (double)shift[1]);
            values[2] = (float)bytes[2] * s2 + (float)(o2 + (double)shift[2]);
        }
        T *target = out + pixel * channels;
        if (channels == MOST) {
            // One store of 16 bytes.
            union {
                Pack pack;
                T values[MOST];
            } whole;
            whole.pack = Pack{{0, 0, 0, 0}};
            for (u32 c = 0; c < 3; c++) {
                store(whole.values, c, values[c]);
            }
            *reinterpret_cast<Pack *>(target) = whole.pack;
        } else {
            for (u32 c = 0; c < channels; c++) {
                store(target, c, c < 3 ? values[c] : 0.0f);
            }
        }
    }
}

#define FINISH(name, T)                                                                             \
    extern "C" __global__ void name(const u8 *images, const float *shifts, T *out, float s0,        \
                                    float s1, float s2, double o0, double o1, double o2, u32 rows,  \
                                    u32 height, u32 width, u32 before, u32 out_height,              \
                                    u32 out_width, u32 channels) {                                  \
        finish<T>(images, shifts, out, s0, s1, s2, o0, o1, o2, rows, height, width, before,         \
                  out_height, out_width, channels);                                                 \
    }
FINISH(finish_f32, float)
FINISH(finish_bf16, bf16)
