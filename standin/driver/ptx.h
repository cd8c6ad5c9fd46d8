// What a module's PTX says of its kernels.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace host {

// The number in `.target sm_NN`, 0 without one.
int target(std::string_view ptx);

// The bytes of each parameter of a kernel; false if the text has no such kernel.
bool parameters(std::string_view ptx, std::string_view kernel, std::vector<std::size_t> &bytes);

} // namespace host
