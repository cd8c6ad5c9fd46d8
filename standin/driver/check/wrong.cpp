// Makes one wrong call, named on the command line, which the stand-ins must notice.
#include <cublas_v2.h>
#include <cuda.h>
#include <cudnn.h>

#include <functional>
#include <map>
#include <string>

// A card with a stream and two allocations.
struct Card {
    CUcontext context;
    CUstream stream;
    CUdeviceptr small, large;

    Card() {
        cuInit(0);
        cuDevicePrimaryCtxRetain(&context, 0);
        cuCtxSetCurrent(context);
        cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING);
        cuMemAllocAsync(&small, 100, stream);
        cuMemAllocAsync(&large, 4000, stream);
        cuStreamSynchronize(stream);
    }
    void close() {
        cuMemFreeAsync(small, stream);
        cuMemFreeAsync(large, stream);
        cuStreamDestroy(stream);
        cuDevicePrimaryCtxRelease(0);
    }
};

static void product(Card &card, int leading) {
    cublasHandle_t handle;
    cublasCreate(&handle);
    cublasSetStream(handle, card.stream);
    const float one = 1.0f, zero = 0.0f;
    const auto at = [&](int byte) { return reinterpret_cast<void *>(card.large + byte); };
    cublasGemmEx(handle, CUBLAS_OP_T, CUBLAS_OP_N, 4, 4, 5, &one, at(0), CUDA_R_32F, leading, at(400), CUDA_R_32F, 5, &zero,
                 at(800), CUDA_R_32F, 4, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT);
    cublasDestroy(handle);
    card.close();
}

int main(int, char **arguments) {
    Card card;
    const std::map<std::string, std::function<void()>> cases{
        {"nothing", [&] { product(card, 5); }},
        {"leading-dimension", [&] { product(card, 4); }},
        {"beyond", [&] { cuMemsetD8Async(card.small, 0, 101, card.stream); }},
        {"free-twice", [&] {
             cuMemFreeAsync(card.small, card.stream);
             cuMemFreeAsync(card.small, card.stream);
         }},
        {"left-open", [&] { cuDevicePrimaryCtxRelease(0); }},
        {"border-written", [&] {
             reinterpret_cast<char *>(card.small)[100] = 1;
             card.close();
         }},
        {"descriptor", [&] {
             cudnnTensorDescriptor_t tensor;
             cudnnCreateTensorDescriptor(&tensor);
             cudnnSetTensor4dDescriptor(tensor, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT, 1, 0, 2, 2);
             cudnnDestroyTensorDescriptor(tensor);
         }},
        {"parameters", [&] {
             CUmodule module;
             CUfunction function;
             cuModuleLoadData(&module, ".target sm_75\n.visible .entry norm_final(.param .u64 a, .param .u64 b, .param .u64 c)");
             cuModuleGetFunction(&function, module, "norm_final");
         }},
    };
    cases.at(arguments[1])();
}
