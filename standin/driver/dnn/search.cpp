// cuDNN's searches: those that rank algorithms, and those that time them on the caller's buffers.
#include "../say.h"
#include "../stream.h"
#include "algorithm.h"
#include "descriptor.h"

using namespace host;

// Where an answer may go, and what the last one was.
template <class Answer> struct Answers {
    int most;
    int *count;
    Answer *list;

    void add(const Answer &answer) {
        if (*count < most) {
            list[(*count)++] = answer;
        }
    }
};

// An answer for each algorithm and arithmetic, those that work first, best first. `try_one` runs one
// and gives its status.
template <class Answer, class Try>
static cudnnStatus_t search(const char *what, Pass pass, const Convolution &c, const cudnnConvolutionStruct *own,
                            Answers<Answer> answers, const Try &try_one) {
    if (answers.most < 1 || answers.count == nullptr || answers.list == nullptr) {
        wrong("%s: no room for answers", what);
        return CUDNN_STATUS_BAD_PARAM;
    }
    *answers.count = 0;
    using Number = decltype(Answer::algo);
    const auto answer = [](int number, cudnnStatus_t status, float time, std::size_t memory, bool deterministic, cudnnMathType_t math) {
        return Answer{static_cast<Number>(number), status, time, memory, deterministic ? CUDNN_DETERMINISTIC : CUDNN_NON_DETERMINISTIC, math, {}};
    };
    // Tensor cores come first where they are asked for; FMA is what there is besides.
    std::vector<cudnnMathType_t> maths;
    if (own->math == CUDNN_TENSOR_OP_MATH || own->math == CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION) {
        maths.push_back(own->math);
    }
    maths.push_back(own->math == CUDNN_FMA_MATH ? CUDNN_FMA_MATH : CUDNN_DEFAULT_MATH);
    const std::vector<Algorithm> known = algorithms(pass, c);
    float time = 1.0f;
    std::vector<Answer> failed;
    for (const cudnnMathType_t math : maths) {
        for (const Algorithm &one : known) {
            const cudnnStatus_t status = try_one(one);
            if (status == CUDNN_STATUS_SUCCESS) {
                answers.add(answer(one.number, status, time++, one.workspace, one.deterministic, math));
            } else {
                failed.push_back(answer(one.number, status, -1.0f, 0, one.deterministic, math));
            }
        }
    }
    for (const Answer &one : failed) {
        answers.add(one);
    }
    for (int number = 0; number < numbers(pass); number++) {
        bool there = false;
        for (const Algorithm &one : known) {
            there = there || one.number == number;
        }
        if (!there) {
            answers.add(answer(number, CUDNN_STATUS_NOT_SUPPORTED, -1.0f, 0, true, CUDNN_DEFAULT_MATH));
        }
    }
    return CUDNN_STATUS_SUCCESS;
}

// Runs an algorithm on the caller's buffers, where its workspace fits.
struct Timed {
    const char *what;
    cudnnHandle_t handle;
    Pass pass;
    const Convolution &c;
    const void *x, *w, *y;
    void *workspace;
    std::size_t bytes;

    cudnnStatus_t operator()(const Algorithm &one) const {
        if (one.workspace > bytes) {
            return CUDNN_STATUS_ALLOC_FAILED;
        }
        const float alpha = 1.0f, beta = 0.0f;
        const auto status = run(what, handle, pass, c, one.number, &alpha, x, w, y, workspace, one.workspace, &beta, nullptr);
        if (status == CUDNN_STATUS_SUCCESS) {
            synchronize(stream_of(what, handle->stream));
        }
        return status;
    }
};

// The bytes that an algorithm needs.
static cudnnStatus_t workspace(const char *what, cudnnHandle_t handle, Pass pass, const Convolution &c, int number, std::size_t *bytes) {
    if (!is_open(what, handle) || bytes == nullptr) {
        return CUDNN_STATUS_BAD_PARAM;
    }
    for (const Algorithm &one : algorithms(pass, c)) {
        if (one.number == number) {
            *bytes = one.workspace;
            return CUDNN_STATUS_SUCCESS;
        }
    }
    refused("%s: algorithm %d for kernels in NHWC", what, number);
    return CUDNN_STATUS_NOT_SUPPORTED;
}

static cudnnStatus_t ranked(const Algorithm &) { return CUDNN_STATUS_SUCCESS; }

extern "C" {

cudnnStatus_t cudnnGetConvolutionForwardAlgorithm_v7(cudnnHandle_t handle, const cudnnTensorDescriptor_t x, const cudnnFilterDescriptor_t w,
                                                     const cudnnConvolutionDescriptor_t convolution, const cudnnTensorDescriptor_t y,
                                                     const int most, int *count, cudnnConvolutionFwdAlgoPerf_t *list) {
    Convolution c;
    if (!is_open(__func__, handle)) {
        return CUDNN_STATUS_BAD_PARAM;
    }
    if (const auto status = understand(__func__, x, w, convolution, y, c)) {
        return status;
    }
    return search(__func__, Pass::Forward, c, convolution, Answers<cudnnConvolutionFwdAlgoPerf_t>{most, count, list}, ranked);
}

cudnnStatus_t cudnnGetConvolutionBackwardDataAlgorithm_v7(cudnnHandle_t handle, const cudnnFilterDescriptor_t w, const cudnnTensorDescriptor_t dy,
                                                          const cudnnConvolutionDescriptor_t convolution, const cudnnTensorDescriptor_t dx,
                                                          const int most, int *count, cudnnConvolutionBwdDataAlgoPerf_t *list) {
    Convolution c;
    if (!is_open(__func__, handle)) {
        return CUDNN_STATUS_BAD_PARAM;
    }
    if (const auto status = understand(__func__, dx, w, convolution, dy, c)) {
        return status;
    }
    return search(__func__, Pass::Data, c, convolution, Answers<cudnnConvolutionBwdDataAlgoPerf_t>{most, count, list}, ranked);
}

cudnnStatus_t cudnnGetConvolutionBackwardFilterAlgorithm_v7(cudnnHandle_t handle, const cudnnTensorDescriptor_t x, const cudnnTensorDescriptor_t dy,
                                                            const cudnnConvolutionDescriptor_t convolution, const cudnnFilterDescriptor_t dw,
                                                            const int most, int *count, cudnnConvolutionBwdFilterAlgoPerf_t *list) {
    Convolution c;
    if (!is_open(__func__, handle)) {
        return CUDNN_STATUS_BAD_PARAM;
    }
    if (const auto status = understand(__func__, x, dw, convolution, dy, c)) {
        return status;
    }
    return search(__func__, Pass::Filter, c, convolution, Answers<cudnnConvolutionBwdFilterAlgoPerf_t>{most, count, list}, ranked);
}

cudnnStatus_t cudnnGetConvolutionForwardWorkspaceSize(cudnnHandle_t handle, const cudnnTensorDescriptor_t x, const cudnnFilterDescriptor_t w,
                                                      const cudnnConvolutionDescriptor_t convolution, const cudnnTensorDescriptor_t y,
                                                      cudnnConvolutionFwdAlgo_t algorithm, size_t *bytes) {
    Convolution c;
    if (const auto status = understand(__func__, x, w, convolution, y, c)) {
        return status;
    }
    return workspace(__func__, handle, Pass::Forward, c, algorithm, bytes);
}

cudnnStatus_t cudnnGetConvolutionBackwardDataWorkspaceSize(cudnnHandle_t handle, const cudnnFilterDescriptor_t w, const cudnnTensorDescriptor_t dy,
                                                           const cudnnConvolutionDescriptor_t convolution, const cudnnTensorDescriptor_t dx,
                                                           cudnnConvolutionBwdDataAlgo_t algorithm, size_t *bytes) {
    Convolution c;
    if (const auto status = understand(__func__, dx, w, convolution, dy, c)) {
        return status;
    }
    return workspace(__func__, handle, Pass::Data, c, algorithm, bytes);
}

cudnnStatus_t cudnnGetConvolutionBackwardFilterWorkspaceSize(cudnnHandle_t handle, const cudnnTensorDescriptor_t x, const cudnnTensorDescriptor_t dy,
                                                             const cudnnConvolutionDescriptor_t convolution, const cudnnFilterDescriptor_t dw,
                                                             cudnnConvolutionBwdFilterAlgo_t algorithm, size_t *bytes) {
    Convolution c;
    if (const auto status = understand(__func__, x, dw, convolution, dy, c)) {
        return status;
    }
    return workspace(__func__, handle, Pass::Filter, c, algorithm, bytes);
}

cudnnStatus_t cudnnFindConvolutionForwardAlgorithmEx(cudnnHandle_t handle, const cudnnTensorDescriptor_t x_desc, const void *x,
                                                     const cudnnFilterDescriptor_t w_desc, const void *w, const cudnnConvolutionDescriptor_t convolution,
                                                     const cudnnTensorDescriptor_t y_desc, void *y, const int most, int *count,
                                                     cudnnConvolutionFwdAlgoPerf_t *list, void *workspace, size_t bytes) {
    Convolution c;
    if (const auto status = understand(__func__, x_desc, w_desc, convolution, y_desc, c)) {
        return status;
    }
    const Timed timed{__func__, handle, Pass::Forward, c, x, w, y, workspace, bytes};
    return search(__func__, Pass::Forward, c, convolution, Answers<cudnnConvolutionFwdAlgoPerf_t>{most, count, list}, timed);
}

cudnnStatus_t cudnnFindConvolutionBackwardDataAlgorithmEx(cudnnHandle_t handle, const cudnnFilterDescriptor_t w_desc, const void *w,
                                                          const cudnnTensorDescriptor_t dy_desc, const void *dy, const cudnnConvolutionDescriptor_t convolution,
                                                          const cudnnTensorDescriptor_t dx_desc, void *dx, const int most, int *count,
                                                          cudnnConvolutionBwdDataAlgoPerf_t *list, void *workspace, size_t bytes) {
    Convolution c;
    if (const auto status = understand(__func__, dx_desc, w_desc, convolution, dy_desc, c)) {
        return status;
    }
    const Timed timed{__func__, handle, Pass::Data, c, dx, w, dy, workspace, bytes};
    return search(__func__, Pass::Data, c, convolution, Answers<cudnnConvolutionBwdDataAlgoPerf_t>{most, count, list}, timed);
}

cudnnStatus_t cudnnFindConvolutionBackwardFilterAlgorithmEx(cudnnHandle_t handle, const cudnnTensorDescriptor_t x_desc, const void *x,
                                                            const cudnnTensorDescriptor_t dy_desc, const void *dy, const cudnnConvolutionDescriptor_t convolution,
                                                            const cudnnFilterDescriptor_t dw_desc, void *dw, const int most, int *count,
                                                            cudnnConvolutionBwdFilterAlgoPerf_t *list, void *workspace, size_t bytes) {
    Convolution c;
    if (const auto status = understand(__func__, x_desc, dw_desc, convolution, dy_desc, c)) {
        return status;
    }
    const Timed timed{__func__, handle, Pass::Filter, c, x, dw, dy, workspace, bytes};
    return search(__func__, Pass::Filter, c, convolution, Answers<cudnnConvolutionBwdFilterAlgoPerf_t>{most, count, list}, timed);
}

} // extern "C"
