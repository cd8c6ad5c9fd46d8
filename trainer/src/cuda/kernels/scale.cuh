// Powers of a normalisation's scale, as the CPU has them: from square roots where beta is 3/4. Where the values are
// rounded to bf16 or TF32 anyway, fast ones: reciprocal roots that may be two units wrong in the last place, and
// products and sums that round once.
#pragma once

#include "kernels.cuh"

struct Powers {
    // s^-beta and 1 / s.
    float scaled, inverse;
};

// For the beta of every recipe there are kernels that need not ask for it.
constexpr float USUAL_BETA = 0.75f;

template <bool FAST, bool USUAL = false> __device__ inline Powers powers(float s, float beta) {
    if (USUAL || beta == USUAL_BETA) {
        if (FAST) {
            const float root = rsqrtf(s), inverse = root * root;
            return Powers{inverse * rsqrtf(root), inverse};
        }
        const float root = 1.0f / sqrtf(s);
        return Powers{root * sqrtf(root), root * root};
    }
    return Powers{powf(s, -beta), 1.0f / s};
}

// a b + c.
template <bool FAST> __device__ inline float product_and_sum(float a, float b, float c) {
    return FAST ? fmaf(a, b, c) : a * b + c;
}
