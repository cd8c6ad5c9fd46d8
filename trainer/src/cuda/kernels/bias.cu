// The gradient of a bias: sums over the rows, in parts and then over the parts, both in an order that depends only on
// the sizes. Where the values are the gradient of an activation's output, they become that of its input on the way.
#include "activation.cuh"

// A block has a part of the rows. Where the channels are whole packs, its threads are lanes of threads with a pack of
// channels each, and the lanes take turns with the rows; else a thread has a channel.
template <class T>
__device__ void bias_partial(const T *output, T *gradient, float *partial, u32 rows, u32 channels, u32 rows_per_part,
                             u32 function) {
    constexpr u32 N = Few<T>::LEN;
    __shared__ float shared[BLOCK * N];
    const u64 begin = (u64)blockIdx.y * rows_per_part;
    const u64 end = begin + rows_per_part < rows ? begin + rows_per_part : rows;
    float *const own = partial + (u64)blockIdx.y * channels;
    const u32 packs = channels / N;
    if (whole_packs<N>(channels) && packs <= BLOCK && on_bound<N>(gradient) && on_bound<N>(output)) {
        if (blockIdx.x > 0) {
            return;
        }
        const u32 lanes = BLOCK / packs, lane = threadIdx.x / packs, pack = threadIdx.x % packs;
        float sum[N];
#pragma unroll
        for (u32 j = 0; j < N; j++) {
            sum[j] = 0.0f;
        }
        for (u64 row = begin + lane; lane < lanes && row < end; row += lanes) {
            const u64 at = row * channels + pack * N;
            float g[N];
            load_pack<N>(gradient + at, g);
            if (output != nullptr) {
                float y[N];
                load_pack<N>(output + at, y);
#pragma unroll
                for (u32 j = 0; j < N; j++) {
                    g[j] = slope(y[j], g[j], function);
                }
                store_pack<N>(gradient + at, g);
            }
#pragma unroll
            for (u32 j = 0; j < N; j++) {
                sum[j] += g[j];
            }
        }
        if (lane < lanes) {
#pragma unroll
            for (u32 j = 0; j < N; j++) {
                shared[lane * channels + pack * N + j] = sum[j];
            }
        }
        __syncthreads();
        for (u32 channel = threadIdx.x; channel < channels; channel += BLOCK) {
            float whole = 0.0f;
            for (u32 i = 0; i < lanes; i++) {
                whole += shared[i * channels + channel];
            }
            own[channel] = whole;
        }
        return;
    }
    const u32 channel = blockIdx.x * BLOCK + threadIdx.x;
    if (channel >= channels) {
        return;
    }
    float sum = 0.0f;
    for (u64 row = begin; row < end; row++) {
        const u64 at = row * channels + channel;
        float g = load(gradient, at);
        if (output != nullptr) {
            g = slope(load(output, at), g, function);
            store(gradient, at, g);
        }
        sum += g;
    }
    own[channel] = sum;
}

extern "C" __global__ void bias_partial_f32(const float *output, float *gradient, float *partial, u32 rows,
                                            u32 channels, u32 rows_per_part, u32 function) {
    bias_partial<float>(output, gradient, partial, rows, channels, rows_per_part, function);
}

extern "C" __global__ void bias_partial_bf16(const bf16 *output, bf16 *gradient, float *partial, u32 rows,
                                             u32 channels, u32 rows_per_part, u32 function) {
    bias_partial<bf16>(output, gradient, partial, rows, channels, rows_per_part, function);
}

// Channels of a block; its threads are lanes of so many, which take turns with the parts.
constexpr u32 FINAL = 8;

extern "C" __global__ void bias_final(const float *partial, float *out, u32 parts, u32 channels) {
    __shared__ float shared[BLOCK];
    const u32 lane = threadIdx.x / FINAL, channel = blockIdx.x * FINAL + threadIdx.x % FINAL;
    float sum = 0.0f;
    for (u32 part = lane; part < parts && channel < channels; part += BLOCK / FINAL) {
        sum += partial[(u64)part * channels + channel];
    }
    shared[threadIdx.x] = sum;
    __syncthreads();
    if (lane == 0 && channel < channels) {
        float whole = 0.0f;
        for (u32 i = threadIdx.x; i < BLOCK; i += FINAL) {
            whole += shared[i];
        }
        out[channel] = whole;
    }
}
