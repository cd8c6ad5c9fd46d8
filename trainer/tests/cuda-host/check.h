// Numbers to compute with, and comparisons that end the program where they do not hold.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <cuda_bf16.h>

typedef __nv_bfloat16 bf16;

inline float wide(float value) { return value; }
inline float wide(bf16 value) { return __bfloat162float(value); }
template <class T> T narrow_to(float value);
template <> inline float narrow_to<float>(float value) { return value; }
template <> inline bf16 narrow_to<bf16>(float value) { return __float2bfloat16_rn(value); }

// The largest error over the largest value: rounding of outputs, and of sums in another order.
template <class T> double rounding();
template <> inline double rounding<float>() { return 4e-6; }
template <> inline double rounding<bf16>() { return 8e-3; }

// Values between -1 and 1, in T's precision.
template <class T> std::vector<T> numbers(unsigned int seed, size_t n) {
    std::vector<T> values(n);
    unsigned long long state = seed * 2654435761ull + 12345;
    for (auto &value : values) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        value = narrow_to<T>(static_cast<float>(state >> 40) / 8388608.0f - 1.0f);
    }
    return values;
}

inline int checks = 0;

template <class T>
void compare(const std::string &what, const std::vector<T> &found, const std::vector<double> &expected,
             double tolerance) {
    double largest = 0, worst = 0;
    for (double value : expected) {
        largest = std::max(largest, std::fabs(value));
    }
    bool same = found.size() == expected.size();
    for (size_t i = 0; same && i < expected.size(); i++) {
        const double error = std::fabs(static_cast<double>(wide(found[i])) - expected[i]);
        same = error <= tolerance * largest;
        worst = std::max(worst, error);
    }
    checks++;
    if (!same) {
        std::printf("%s: error %g of %g, tolerance %g\n", what.c_str(), worst, largest, tolerance);
        std::exit(1);
    }
}

inline void expect(const std::string &what, bool holds) {
    checks++;
    if (!holds) {
        std::printf("%s: does not hold\n", what.c_str());
        std::exit(1);
    }
}
