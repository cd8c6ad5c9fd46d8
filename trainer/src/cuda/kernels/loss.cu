// Softmax cross-entropy: one block for each row of logits. Sums are f64, as on the CPU; of equal logits
// the lower class ranks first, and a label whose logit is NaN is no hit. The gradient is that of the mean
// over `images`, of which the rows here may be some.
#include "kernels.cuh"

template <class T>
__device__ void cross_entropy(const T *logits, const i64 *labels, T *gradient, double *row_scores, u32 classes,
                              u32 images) {
    __shared__ double shared[BLOCK];
    __shared__ float largest_of[BLOCK];
    const u64 row = blockIdx.x;
    const T *own = logits + row * classes;
    const u32 label = (u32)labels[row];
    const float chosen = load(own, label);

    float largest = -INFINITY;
    u32 before = 0;
    for (u32 c = threadIdx.x; c < classes; c += BLOCK) {
        const float logit = load(own, c);
        // fmaxf passes over NaN, as the CPU's does.
        largest = fmaxf(largest, logit);
        before += c != label && (logit > chosen || logit != logit || (logit == chosen && c < label));
    }
    largest_of[threadIdx.x] = largest;
    __syncthreads();
    for (u32 half = BLOCK / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) {
            largest_of[threadIdx.x] = fmaxf(largest_of[threadIdx.x], largest_of[threadIdx.x + half]);
        }
        __syncthreads();
    }
    const double top = (double)largest_of[0];

    double part = 0.0;
    for (u32 c = threadIdx.x; c < classes; c += BLOCK) {
        part += exp((double)load(own, c) - top);
    }
    const double sum = block_sum(part, shared);
    const double rank = chosen != chosen ? (double)classes + 5.0 : block_sum((double)before, shared);
    if (threadIdx.x == 0) {
        row_scores[row * 3] = log(sum) + top - (double)chosen;
        row_scores[row * 3 + 1] = rank < 1.0 ? 1.0 : 0.0;
        row_scores[row * 3 + 2] = rank < 5.0 ? 1.0 : 0.0;
    }
    if (gradient == nullptr) {
        return;
    }
    const double scale = 1.0 / (double)images;
    for (u32 c = threadIdx.x; c < classes; c += BLOCK) {
        const double share = exp((double)load(own, c) - top) / sum;
        store(gradient, row * classes + c, (float)((share - (c == label ? 1.0 : 0.0)) * scale));
    }
}

extern "C" __global__ void cross_entropy_f32(const float *logits, const i64 *labels, float *gradient,
                                             double *row_scores, u32 classes, u32 images) {
    cross_entropy<float>(logits, labels, gradient, row_scores, classes, images);
}

extern "C" __global__ void cross_entropy_bf16(const bf16 *logits, const i64 *labels, bf16 *gradient,
                                              double *row_scores, u32 classes, u32 images) {
    cross_entropy<bf16>(logits, labels, gradient, row_scores, classes, images);
}

// Adds the three numbers of all rows to the sums; one block.
extern "C" __global__ void scores_add(const double *row_scores, double *sums, u32 rows) {
    __shared__ double shared[BLOCK];
    for (u32 number = 0; number < 3; number++) {
        double part = 0.0;
        for (u32 row = threadIdx.x; row < rows; row += BLOCK) {
            part += row_scores[(u64)row * 3 + number];
        }
        const double sum = block_sum(part, shared);
        if (threadIdx.x == 0) {
            sums[number] += sum;
        }
    }
}
