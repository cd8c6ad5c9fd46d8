// The gradient of a bias: sums over the rows, in parts and then over the parts, both in order.
#include "kernels.cuh"

template <class T>
__device__ void bias_partial(const T *gradient, float *partial, u32 rows, u32 channels, u32 rows_per_part) {
    const u32 channel = blockIdx.x * BLOCK + threadIdx.x;
    if (channel >= channels) {
        return;
    }
    const u64 begin = (u64)blockIdx.y * rows_per_part;
    const u64 end = begin + rows_per_part < rows ? begin + rows_per_part : rows;
    float sum = 0.0f;
    for (u64 row = begin; row < end; row++) {
        sum += load(gradient, row * channels + channel);
    }
    partial[(u64)blockIdx.y * channels + channel] = sum;
}

extern "C" __global__ void bias_partial_f32(const float *gradient, float *partial, u32 rows, u32 channels,
                                            u32 rows_per_part) {
    bias_partial<float>(gradient, partial, rows, channels, rows_per_part);
}

extern "C" __global__ void bias_partial_bf16(const bf16 *gradient, float *partial, u32 rows, u32 channels,
                                             u32 rows_per_part) {
    bias_partial<bf16>(gradient, partial, rows, channels, rows_per_part);
}

extern "C" __global__ void bias_final(const float *partial, float *out, u32 parts, u32 channels) {
    const u32 channel = blockIdx.x * BLOCK + threadIdx.x;
    if (channel >= channels) {
        return;
    }
    float sum = 0.0f;
    for (u32 part = 0; part < parts; part++) {
        sum += partial[(u64)part * channels + channel];
    }
    out[channel] = sum;
}
