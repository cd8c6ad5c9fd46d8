// Powers of a normalisation's scale, as the CPU has them: from square roots where beta is 3/4.
#pragma once

#include "kernels.cuh"

struct Powers {
    // s^-beta and 1 / s.
    float scaled, inverse;
};

__device__ inline Powers powers(float s, float beta) {
    if (beta == 0.75f) {
        const float root = 1.0f / sqrtf(s);
        return Powers{root * sqrtf(root), root * root};
    }
    return Powers{powf(s, -beta), 1.0f / s};
}
