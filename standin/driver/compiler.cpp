// The library that compiles at run time: it tells its version, which is all that the trainer asks of it.
#include <cuda.h>
#include <nvrtc.h>

extern "C" nvrtcResult nvrtcVersion(int *major, int *minor) {
    *major = CUDA_VERSION / 1000;
    *minor = CUDA_VERSION % 1000 / 10;
    return NVRTC_SUCCESS;
}
