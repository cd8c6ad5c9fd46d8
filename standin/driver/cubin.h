// What a module's cubin, an ELF file for one generation of GPUs, says of its kernels.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace host {

// The bytes of the cubin that begins at `image`, which says itself how long it is; empty for anything else.
std::string cubin(const void *image);

// The compute capability that a cubin is for, times ten.
int cubin_target(std::string_view cubin);

// Adds the size of each of a kernel's parameters, in their order; false if the cubin has no such kernel.
bool cubin_parameters(std::string_view cubin, std::string_view kernel, std::vector<std::size_t> &bytes);

} // namespace host
