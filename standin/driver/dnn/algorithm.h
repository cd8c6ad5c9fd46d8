// Which of cuDNN's algorithms there are for NHWC convolutions, and what each needs.
//
// As on a card some are faster than others, some give other bits every time, and some need a workspace.
#pragma once

#include <cudnn.h>

#include <vector>

#include "convolution.h"

namespace host {

enum class Pass { Forward, Data, Filter };

struct Algorithm {
    // Its number among those of the pass.
    int number;
    bool deterministic;
    // Bytes of workspace.
    std::size_t workspace;
};

// Those that there are, fastest first.
std::vector<Algorithm> algorithms(Pass pass, const Convolution &convolution);

// Whether HOST_DNN_REFUSE=PASS:NUMBER, with forward, data or filter, lets this one fail when it is called, though a
// ranking names it.
bool is_refused(Pass pass, int number);

// How many numbers the pass has altogether.
int numbers(Pass pass);

// The convolution that descriptors tell of; cuDNN's status if they do not fit together.
cudnnStatus_t understand(const char *what, cudnnTensorDescriptor_t x, cudnnFilterDescriptor_t w,
                         cudnnConvolutionDescriptor_t convolution, cudnnTensorDescriptor_t y, Convolution &out);

// A pass with its tensors, looked at and queued: x, w and y are those of the forward pass or their
// gradients, the last one for `pass` is written.
cudnnStatus_t run(const char *what, cudnnHandle_t handle, Pass pass, const Convolution &convolution, int algorithm,
                  const void *alpha, const void *x, const void *w, const void *y, void *workspace,
                  std::size_t workspace_bytes, const void *beta, const Epilogue *epilogue);

} // namespace host
