// The kernels that are compiled for the host, by name, with what they take.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

namespace host {

struct Parameter {
    std::size_t bytes;
    bool is_pointer;
};

struct Twin {
    const char *name;
    std::vector<Parameter> parameters;
    // A call with copies of the arguments that `cuLaunchKernel` is given.
    std::function<std::function<void()>(void **)> bind;
};

// Null for a kernel that there is not.
const Twin *twin(std::string_view name);

} // namespace host
