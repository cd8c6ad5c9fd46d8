// The library of random numbers: it tells its version, which is all that the trainer asks of it.
#include <curand.h>

extern "C" curandStatus_t curandGetVersion(int *version) {
    *version = CURAND_VERSION;
    return CURAND_STATUS_SUCCESS;
}
