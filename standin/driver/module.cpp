// Modules and kernels: a function is there if the PTX or the cubin has it, and a twin of the host with the same
// parameters; a launch looks at sizes and pointers, and runs the twin when its turn comes.
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include "card.h"
#include "cubin.h"
#include "fiber.h"
#include "memory.h"
#include "ptx.h"
#include "say.h"
#include "stream.h"
#include "twin.h"

namespace host {

struct Function {
    std::string name;
    const Twin *twin;
    Card *card;
};

struct Module {
    Card *card;
    // PTX, or the bytes of a cubin.
    std::string image;
    bool is_cubin;
    std::map<std::string, Function> functions;
};

static std::mutex mutex;
static std::set<const Module *> modules;
static std::set<const Function *> functions;

// As large as cards allow.
constexpr unsigned int MOST_THREADS = 1024, MOST_ROWS = 65535, MOST_SHARED = 48 << 10;

static CUresult same_parameters(const std::string &name, const Module &module, const Twin &twin) {
    std::vector<std::size_t> bytes;
    const bool found = module.is_cubin ? cubin_parameters(module.image, name, bytes) : parameters(module.image, name, bytes);
    if (!found) {
        refused("no kernel %s in the module", name.c_str());
        return CUDA_ERROR_NOT_FOUND;
    }
    bool same = bytes.size() == twin.parameters.size();
    for (std::size_t i = 0; i < bytes.size() && same; i++) {
        same = bytes[i] == twin.parameters[i].bytes;
    }
    if (!same) {
        fatal("kernel %s has other parameters in the module than on the host", name.c_str());
    }
    return CUDA_SUCCESS;
}

} // namespace host

using namespace host;

extern "C" {

CUresult cuModuleLoadData(CUmodule *handle, const void *image) {
    Card *card = current();
    if (card == nullptr) {
        return CUDA_ERROR_INVALID_CONTEXT;
    }
    std::string code = cubin(image);
    const bool is_cubin = !code.empty();
    if (!is_cubin) {
        code = static_cast<const char *>(image);
    }
    const int needed = is_cubin ? cubin_target(code) : target(code);
    if (needed == 0) {
        fatal("cuModuleLoadData of what is no PTX and no cubin");
    }
    // PTX is translated for newer cards; a cubin is for the cards of its own generation.
    const bool fits = is_cubin ? needed / 10 == capability() / 10 && needed <= capability() : needed <= capability();
    if (!fits) {
        refused("%s for compute capability %d on a card of %d", is_cubin ? "a cubin" : "PTX", needed, capability());
        return CUDA_ERROR_NO_BINARY_FOR_GPU;
    }
    Module *module = new Module{card, std::move(code), is_cubin, {}};
    const std::lock_guard lock(mutex);
    modules.insert(module);
    card->modules++;
    *handle = reinterpret_cast<CUmodule>(module);
    return CUDA_SUCCESS;
}

CUresult cuModuleUnload(CUmodule handle) {
    Module *module = reinterpret_cast<Module *>(handle);
    {
        const std::lock_guard lock(mutex);
        if (modules.erase(module) == 0) {
            wrong("cuModuleUnload: no module");
            return CUDA_ERROR_INVALID_HANDLE;
        }
        for (const auto &[name, function] : module->functions) {
            functions.erase(&function);
        }
        module->card->modules--;
    }
    // Launches that are queued hold what they need themselves.
    delete module;
    return CUDA_SUCCESS;
}

CUresult cuModuleGetFunction(CUfunction *handle, CUmodule module_handle, const char *name) {
    Module *module = reinterpret_cast<Module *>(module_handle);
    const std::lock_guard lock(mutex);
    if (!modules.contains(module)) {
        wrong("cuModuleGetFunction: no module");
        return CUDA_ERROR_INVALID_HANDLE;
    }
    const Twin *own = twin(name);
    if (own == nullptr) {
        fatal("kernel %s is not compiled for the host", name);
    }
    if (const CUresult answer = same_parameters(name, *module, *own); answer != CUDA_SUCCESS) {
        return answer;
    }
    Function &function = module->functions[name] = Function{name, own, module->card};
    functions.insert(&function);
    *handle = reinterpret_cast<CUfunction>(&function);
    return CUDA_SUCCESS;
}

CUresult cuLaunchKernel(CUfunction handle, unsigned int x, unsigned int y, unsigned int z, unsigned int threads,
                        unsigned int threads_y, unsigned int threads_z, unsigned int shared, CUstream stream_handle,
                        void **parameters, void **extra) {
    const Function *function = reinterpret_cast<Function *>(handle);
    {
        const std::lock_guard lock(mutex);
        if (!functions.contains(function)) {
            wrong("cuLaunchKernel: no function");
            return CUDA_ERROR_INVALID_HANDLE;
        }
    }
    const std::string name = function->name;
    Stream *stream = stream_of(name.c_str(), stream_handle);
    if (stream == nullptr) {
        return CUDA_ERROR_INVALID_HANDLE;
    }
    if (stream->card != function->card) {
        wrong("%s: function and stream of different cards", name.c_str());
        return CUDA_ERROR_INVALID_CONTEXT;
    }
    if (x == 0 || y == 0 || z == 0 || y > MOST_ROWS || z > MOST_ROWS || x > 0x7FFFFFFF || threads == 0 ||
        threads > MOST_THREADS || shared > MOST_SHARED) {
        wrong("%s: grid %u x %u x %u of %u threads, %u bytes shared", name.c_str(), x, y, z, threads, shared);
        return CUDA_ERROR_INVALID_VALUE;
    }
    if (threads_y != 1 || threads_z != 1 || extra != nullptr || shared != 0) {
        fatal("%s: blocks of several rows, dynamic shared memory and `extra` are not provided", name.c_str());
    }
    const Twin &own = *function->twin;
    std::vector<Address> pointers;
    for (std::size_t i = 0; i < own.parameters.size(); i++) {
        Address pointer = 0;
        if (own.parameters[i].is_pointer) {
            std::memcpy(&pointer, parameters[i], sizeof pointer);
        }
        if (pointer != 0) {
            if (!names_memory(name.c_str(), stream->card->number, pointer, 0)) {
                return CUDA_ERROR_INVALID_VALUE;
            }
            pointers.push_back(pointer);
        }
    }
    const int card = stream->card->number;
    queue(stream, own.name, [=, work = own.bind(parameters)] {
        for (const Address pointer : pointers) {
            touch(name.c_str(), card, pointer, 0);
        }
        run_grid(name.c_str(), Grid{x, y, z, threads}, work);
    });
    return CUDA_SUCCESS;
}

} // extern "C"
