// The library of random numbers: its version, and generators that nobody draws from, as each of candle's devices
// has one.
#include <curand.h>

#include "say.h"
#include "stream.h"

using namespace host;

struct curandGenerator_st {
    bool open = true;
};

static bool is_open(const char *what, curandGenerator_t generator) {
    if (generator == nullptr || !generator->open) {
        wrong("%s: no generator", what);
        return false;
    }
    return true;
}

extern "C" {

curandStatus_t curandGetVersion(int *version) {
    *version = CURAND_VERSION;
    return CURAND_STATUS_SUCCESS;
}

curandStatus_t curandCreateGenerator(curandGenerator_t *generator, curandRngType_t) {
    *generator = new curandGenerator_st;
    return CURAND_STATUS_SUCCESS;
}

// The memory stays, so that what is closed twice is seen.
curandStatus_t curandDestroyGenerator(curandGenerator_t generator) {
    if (!is_open("curandDestroyGenerator", generator)) {
        return CURAND_STATUS_NOT_INITIALIZED;
    }
    generator->open = false;
    return CURAND_STATUS_SUCCESS;
}

curandStatus_t curandSetStream(curandGenerator_t generator, cudaStream_t stream) {
    const bool good = is_open("curandSetStream", generator) && stream_of("curandSetStream", stream) != nullptr;
    return good ? CURAND_STATUS_SUCCESS : CURAND_STATUS_NOT_INITIALIZED;
}

curandStatus_t curandSetPseudoRandomGeneratorSeed(curandGenerator_t generator, unsigned long long) {
    return is_open("curandSetPseudoRandomGeneratorSeed", generator) ? CURAND_STATUS_SUCCESS : CURAND_STATUS_NOT_INITIALIZED;
}

} // extern "C"
