// The kernels' C names, for both types.
#pragma once

#include <cuda_bf16.h>

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

struct Entry {
    float *weight, *velocity;
    const void *gradient;
    __nv_bfloat16 *copy;
    u64 len;
    u32 rate, gradient_is_bf16, moves, unused;
};

#define BOTH(T, s)                                                                                  \
    void finish_##s(const u8 *, const float *, T *, float, float, float, double, double, double,    \
                    const float *, const u32 *, u32, u32, u32, u32, u32, u32, u32, u32, u32);       \
    void place_##s(const float *, T *, u32, u32, u32, u32, u32, u32, u32, u32);                     \
    void bias_activation_##s(T *, const float *, u64, u32, u32);                                    \
    void activation_backward_##s(const T *, T *, u64, u32);                                         \
    void activation_backward_joined_##s(const T *, const T *, T *, u64, u32, u32);                  \
    void bias_partial_##s(const T *, T *, float *, u32, u32, u32, u32);                             \
    void max_pool_##s(const T *, T *, u8 *, u32, u32, u32, u32, u32, u32, u32, u32, u32, u32);      \
    void max_pool_backward_##s(const u8 *, const T *, const T *, T *, u32, u32, u32, u32, u32, u32, u32, u32,  \
                               u32, u32);                                                           \
    void lrn_##s(const T *, T *, u64, u32, u32, u32, float, float, float);                          \
    void lrn_backward_##s(const T *, const T *, T *, u64, u32, u32, u32, float, float, float, u32); \
    void map_norm_##s(const T *, T *, u32, u32, u32, u32, u32, float, float, float);                \
    void map_norm_backward_##s(const T *, const T *, T *, u32, u32, u32, u32, u32, float, float,    \
                               float);                                                              \
    void dropout_##s(const T *, T *, u64, u32, float, u32, u32, u32, u64);                          \
    void cross_entropy_##s(const T *, const i64 *, T *, double *, u32, u32);                        \
    void widen_##s(const float *, T *, u32, u32, u32, u32, u32);                                    \
    void narrow_##s(const T *, float *, u32, u32, u32, u32, u32);                                   \
    void add_scaled_##s(const T *, float *, float, u32, u64);

extern "C" {
BOTH(float, f32)
BOTH(__nv_bfloat16, bf16)
void lrn_tf32(const float *, float *, u64, u32, u32, u32, float, float, float);
void lrn_backward_tf32(const float *, const float *, float *, u64, u32, u32, u32, float, float, float, u32);
void bias_final(const float *, float *, u32, u32);
void scores_add(const double *, double *, u32);
void sgd(const Entry *, u32, float, float, float, float, float, float, float, float, float, double *);
void norm_final(const double *, double *, u32);
void cast_f32_bf16(const float *, __nv_bfloat16 *, u64);
void cast_bf16_f32(const __nv_bfloat16 *, float *, u64);
}

// The name of a kernel by its type.
#define OF(name)                                                                                    \
    template <class T> auto name##_of() {                                                           \
        if constexpr (sizeof(T) == 4) {                                                             \
            return name##_f32;                                                                      \
        } else {                                                                                    \
            return name##_bf16;                                                                     \
        }                                                                                           \
    }
OF(finish) OF(place) OF(bias_activation) OF(activation_backward) OF(activation_backward_joined) OF(bias_partial)
OF(max_pool) OF(max_pool_backward) OF(lrn) OF(lrn_backward) OF(map_norm) OF(map_norm_backward) OF(dropout)
OF(cross_entropy) OF(widen) OF(narrow) OF(add_scaled)
