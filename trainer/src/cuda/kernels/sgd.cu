// One step of all parameters, v <- momentum v - decay w - lr g; w <- w + v, with the CPU's order of
// operations, and the length of the gradient. A row of blocks for each parameter.
#include "kernels.cuh"

// As kernels/sgd.rs writes it.
struct Entry {
    float *weight;
    float *velocity;
    const void *gradient;
    // A bf16 copy of the weight, or null.
    bf16 *copy;
    u64 len;
    float lr;
    // Weight decay times lr.
    float decay;
    u32 gradient_is_bf16;
    u32 moves;
};
static_assert(sizeof(Entry) == 56, "kernels/sgd.rs has the same size");

__device__ inline float gradient_at(const Entry &entry, u64 i) {
    return entry.gradient_is_bf16 ? load(static_cast<const bf16 *>(entry.gradient), i)
                                  : load(static_cast<const float *>(entry.gradient), i);
}

__device__ inline bool gradient_on_bound(const Entry &entry) {
    return entry.gradient_is_bf16 ? on_bound<4>(static_cast<const bf16 *>(entry.gradient))
                                  : on_bound<4>(static_cast<const float *>(entry.gradient));
}

__device__ inline void gradients_at(const Entry &entry, u64 i, float (&g)[4]) {
    if (entry.gradient_is_bf16) {
        load_pack<4>(static_cast<const bf16 *>(entry.gradient) + i, g);
    } else {
        load_pack<4>(static_cast<const float *>(entry.gradient) + i, g);
    }
}

extern "C" __global__ void sgd(const Entry *entries, u32 count, float momentum) {
    if (blockIdx.y >= count) {
        return;
    }
    const Entry entry = entries[blockIdx.y];
    if (!entry.moves) {
        return;
    }
    u64 done = 0;
    if (on_bound<4>(entry.weight) && on_bound<4>(entry.velocity) && gradient_on_bound(entry) &&
        on_bound<4>(entry.copy)) {
        done = entry.len - entry.len % 4;
        for (u64 i = first() * 4; i < done; i += stride() * 4) {
            float w[4], v[4], g[4];
            load_pack<4>(entry.weight + i, w);
            load_pack<4>(entry.velocity + i, v);
            gradients_at(entry, i, g);
#pragma unroll
            for (u32 j = 0; j < 4; j++) {
                v[j] = momentum * v[j] - entry.decay * w[j] - entry.lr * g[j];
                w[j] = w[j] + v[j];
            }
            store_pack<4>(entry.velocity + i, v);
            store_pack<4>(entry.weight + i, w);
            if (entry.copy != nullptr) {
                store_pack<4>(entry.copy + i, w);
            }
        }
    }
    for (u64 i = done + first(); i < entry.len; i += stride()) {
        const float w = entry.weight[i];
        const float v = momentum * entry.velocity[i] - entry.decay * w - entry.lr * gradient_at(entry, i);
        entry.velocity[i] = v;
        entry.weight[i] = w + v;
        if (entry.copy != nullptr) {
            store(entry.copy, i, w + v);
        }
    }
}

extern "C" __global__ void norm_partial(const Entry *entries, u32 count, double *partial, u32 parts) {
    __shared__ double shared[BLOCK];
    if (blockIdx.y >= count || blockIdx.x >= parts) {
        return;
    }
    const Entry entry = entries[blockIdx.y];
    double sum = 0.0;
    // Four by four, wherever the gradient begins, so that the order of the sum does not depend on that.
    const bool packs = gradient_on_bound(entry);
    for (u64 i = first() * 4; i < entry.len; i += stride() * 4) {
        float g[4] = {0.0f, 0.0f, 0.0f, 0.0f};
        if (packs && i + 4 <= entry.len) {
            gradients_at(entry, i, g);
        } else {
            for (u32 j = 0; j < 4 && i + j < entry.len; j++) {
                g[j] = gradient_at(entry, i + j);
            }
        }
#pragma unroll
        for (u32 j = 0; j < 4; j++) {
            sum += (double)g[j] * (double)g[j];
        }
    }
    sum = block_sum(sum, shared);
    if (threadIdx.x == 0) {
        partial[(u64)blockIdx.y * parts + blockIdx.x] = sum;
    }
}

// Adds all partial sums of squares to the norm's; one block.
extern "C" __global__ void norm_final(const double *partial, double *norm, u32 n) {
    __shared__ double shared[BLOCK];
    double sum = 0.0;
    for (u32 i = threadIdx.x; i < n; i += BLOCK) {
        sum += partial[i];
    }
    sum = block_sum(sum, shared);
    if (threadIdx.x == 0) {
        *norm += sum;
    }
}
