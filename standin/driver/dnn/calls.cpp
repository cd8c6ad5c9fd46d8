// cuDNN's passes of a convolution as the documentation describes their calls.
#include "../memory.h"
#include "../say.h"
#include "algorithm.h"
#include "descriptor.h"

using namespace host;

extern "C" {

cudnnStatus_t cudnnConvolutionForward(cudnnHandle_t handle, const void *alpha, const cudnnTensorDescriptor_t x_desc, const void *x,
                                      const cudnnFilterDescriptor_t w_desc, const void *w, const cudnnConvolutionDescriptor_t convolution,
                                      cudnnConvolutionFwdAlgo_t algorithm, void *workspace, size_t bytes, const void *beta,
                                      const cudnnTensorDescriptor_t y_desc, void *y) {
    Convolution c;
    if (const auto status = understand(__func__, x_desc, w_desc, convolution, y_desc, c)) {
        return status;
    }
    return run(__func__, handle, Pass::Forward, c, algorithm, alpha, x, w, y, workspace, bytes, beta, nullptr);
}

cudnnStatus_t cudnnConvolutionBackwardData(cudnnHandle_t handle, const void *alpha, const cudnnFilterDescriptor_t w_desc, const void *w,
                                           const cudnnTensorDescriptor_t dy_desc, const void *dy, const cudnnConvolutionDescriptor_t convolution,
                                           cudnnConvolutionBwdDataAlgo_t algorithm, void *workspace, size_t bytes, const void *beta,
                                           const cudnnTensorDescriptor_t dx_desc, void *dx) {
    Convolution c;
    if (const auto status = understand(__func__, dx_desc, w_desc, convolution, dy_desc, c)) {
        return status;
    }
    return run(__func__, handle, Pass::Data, c, algorithm, alpha, dx, w, dy, workspace, bytes, beta, nullptr);
}

cudnnStatus_t cudnnConvolutionBackwardFilter(cudnnHandle_t handle, const void *alpha, const cudnnTensorDescriptor_t x_desc, const void *x,
                                             const cudnnTensorDescriptor_t dy_desc, const void *dy, const cudnnConvolutionDescriptor_t convolution,
                                             cudnnConvolutionBwdFilterAlgo_t algorithm, void *workspace, size_t bytes, const void *beta,
                                             const cudnnFilterDescriptor_t dw_desc, void *dw) {
    Convolution c;
    if (const auto status = understand(__func__, x_desc, dw_desc, convolution, dy_desc, c)) {
        return status;
    }
    return run(__func__, handle, Pass::Filter, c, algorithm, alpha, x, dw, dy, workspace, bytes, beta, nullptr);
}

// y = act(alpha1 conv(x) + alpha2 z + bias). Of activations there are ReLU without propagation of NaN,
// and identity with one algorithm; z may be y, and its descriptor is y's.
cudnnStatus_t cudnnConvolutionBiasActivationForward(cudnnHandle_t handle, const void *alpha1, const cudnnTensorDescriptor_t x_desc, const void *x,
                                                    const cudnnFilterDescriptor_t w_desc, const void *w, const cudnnConvolutionDescriptor_t convolution,
                                                    cudnnConvolutionFwdAlgo_t algorithm, void *workspace, size_t bytes, const void *alpha2,
                                                    const cudnnTensorDescriptor_t z_desc, const void *z, const cudnnTensorDescriptor_t bias_desc,
                                                    const void *bias, const cudnnActivationDescriptor_t activation,
                                                    const cudnnTensorDescriptor_t y_desc, void *y) {
    Convolution c;
    if (const auto status = understand(__func__, x_desc, w_desc, convolution, y_desc, c)) {
        return status;
    }
    if (!is_filled(__func__, z_desc) || !is_filled(__func__, bias_desc) || !is_filled(__func__, activation) || bias == nullptr || z == nullptr) {
        return CUDNN_STATUS_BAD_PARAM;
    }
    const int *sizes = bias_desc->sizes;
    if (sizes[0] != 1 || sizes[1] != w_desc->sizes[0] || sizes[2] != 1 || sizes[3] != 1) {
        wrong("%s: a bias of %d x %d x %d x %d for %d outputs", __func__, sizes[0], sizes[1], sizes[2], sizes[3], w_desc->sizes[0]);
        return CUDNN_STATUS_BAD_PARAM;
    }
    bool same = z_desc->type == y_desc->type;
    for (int i = 0; i < 4; i++) {
        same = same && z_desc->sizes[i] == y_desc->sizes[i];
    }
    if (!same || bias_desc->type != y_desc->type) {
        wrong("%s: z or the bias does not fit y", __func__);
        return CUDNN_STATUS_BAD_PARAM;
    }
    const bool relu = activation->mode == CUDNN_ACTIVATION_RELU;
    if (!relu && activation->mode != CUDNN_ACTIVATION_IDENTITY) {
        refused("%s: an activation that is neither ReLU nor identity", __func__);
        return CUDNN_STATUS_NOT_SUPPORTED;
    }
    if (activation->nan != CUDNN_NOT_PROPAGATE_NAN) {
        refused("%s: an activation that propagates NaN", __func__);
        return CUDNN_STATUS_NOT_SUPPORTED;
    }
    if (!relu && algorithm != CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM) {
        refused("%s: identity with another algorithm than IMPLICIT_PRECOMP_GEMM", __func__);
        return CUDNN_STATUS_NOT_SUPPORTED;
    }
    if (z != y) {
        fatal("%s: a z that is not y is not provided", __func__);
    }
    const Epilogue epilogue{bias, relu};
    return run(__func__, handle, Pass::Forward, c, algorithm, alpha1, x, w, y, workspace, bytes, alpha2, &epilogue);
}

} // extern "C"
