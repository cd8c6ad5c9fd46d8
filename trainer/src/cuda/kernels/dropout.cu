// Dropout by the CPU's generator: Philox4x32-10, a block of four words for four values. The values may
// begin at any place of the whole batch's activation: one of several GPUs has some rows of it.
#include "kernels.cuh"

// The stream of dropout masks in formats/src/philox.rs.
constexpr u32 STREAM = 4;

struct Words {
    u32 w[4];
};

__device__ inline u32 high(u32 a, u32 b) { return (u32)(((u64)a * b) >> 32); }

__device__ inline Words philox(u32 c0, u32 c1, u32 c2, u32 c3, u32 key0, u32 key1) {
    for (int round = 0; round < 10; round++) {
        const u32 high0 = high(0xD2511F53u, c0), low0 = 0xD2511F53u * c0;
        const u32 high1 = high(0xCD9E8D57u, c2), low1 = 0xCD9E8D57u * c2;
        c0 = high1 ^ c1 ^ key0;
        c1 = low1;
        c2 = high0 ^ c3 ^ key1;
        c3 = low0;
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    return Words{{c0, c1, c2, c3}};
}

template <class T>
__device__ void dropout(const T *in, T *out, u64 n, u32 threshold, float scale, u32 key0, u32 key1, u32 layer,
                        u64 begin) {
    // Values of the first block that come before the first one here.
    const u32 skipped = (u32)(begin % 4);
    const bool packs = skipped == 0 && on_bound<4>(in) && on_bound<4>(out);
    const u64 blocks = (skipped + n + 3) / 4;
    for (u64 block = first(); block < blocks; block += stride()) {
        const u64 counter = begin / 4 + block;
        const Words words = philox((u32)counter, (u32)(counter >> 32), layer, STREAM, key0, key1);
        const u64 at = block * 4;
        if (packs && at + 4 <= n) {
            float x[4];
            load_pack<4>(in + at, x);
#pragma unroll
            for (u32 j = 0; j < 4; j++) {
                x[j] = words.w[j] >= threshold ? x[j] * scale : 0.0f;
            }
            store_pack<4>(out + at, x);
            continue;
        }
        for (u32 j = at < skipped ? skipped : 0; j < 4 && at + j < skipped + n; j++) {
            const u64 i = at + j - skipped;
            store(out, i, words.w[j] >= threshold ? load(in, i) * scale : 0.0f);
        }
    }
}

#define DROPOUT(T, suffix)                                                                          \
    extern "C" __global__ void dropout_##suffix(const T *in, T *out, u64 n, u32 threshold,          \
                                                float scale, u32 key0, u32 key1, u32 layer,         \
                                                u64 begin) {                                        \
        dropout<T>(in, out, n, threshold, scale, key0, key1, layer, begin);                         \
    }
DROPOUT(float, f32)
DROPOUT(bf16, bf16)
