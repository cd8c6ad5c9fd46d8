// Asks the real cuDNN, without a GPU, which plans it has for convolutions on a GPU that is described by a file: from
// 9.8 on its heuristics take the properties of a GPU as JSON. It tells no times, and not what the legacy calls choose.
// Usage: plans ROWS FIRST.json SECOND.json < CONVOLUTIONS
// A line of CONVOLUTIONS: NAME PASSES HEIGHT WIDTH INPUTS OUTPUTS KERNEL STRIDE PADDING GROUPS, for values in bf16 and
// NHWC; PASSES are letters of `fdw` for the forward pass, the data's gradient and the weight's. A line of the output for
// each pass: name, pass, rows; then for each GPU how many plans there are, the first one's engine and bytes of
// workspace, and the least workspace of all; then `own` if the second GPU has no plan with the first one's engine.
#include <cudnn.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

static void check(cudnnStatus_t status, const char *what) {
    if (status == CUDNN_STATUS_SUCCESS) {
        return;
    }
    char message[512];
    cudnnGetLastErrorString(message, sizeof message);
    std::fprintf(stderr, "%s: %s: %s\n", what, cudnnGetErrorString(status), message);
    std::exit(1);
}

// A descriptor of the backend, which lives until the program ends.
class Descriptor {
    cudnnBackendDescriptor_t handle;

  public:
    explicit Descriptor(cudnnBackendDescriptorType_t type) {
        check(cudnnBackendCreateDescriptor(type, &handle), "create a descriptor");
    }
    template <class T>
    Descriptor &set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, const std::vector<T> &values) {
        const auto count = static_cast<std::int64_t>(values.size());
        check(cudnnBackendSetAttribute(handle, name, type, count, values.data()), "set an attribute");
        return *this;
    }
    Descriptor &set(cudnnBackendAttributeName_t name, const Descriptor &other) {
        return set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, std::vector{other.handle});
    }
    Descriptor &numbers(cudnnBackendAttributeName_t name, const std::vector<std::int64_t> &values) {
        return set(name, CUDNN_TYPE_INT64, values);
    }
    Descriptor &finish() {
        check(cudnnBackendFinalize(handle), "finish a descriptor");
        return *this;
    }
    // Finishes what cuDNN may refuse.
    bool finished() { return cudnnBackendFinalize(handle) == CUDNN_STATUS_SUCCESS; }
    std::int64_t number(cudnnBackendAttributeName_t name) const {
        std::int64_t value = -1, count = 0;
        check(cudnnBackendGetAttribute(handle, name, CUDNN_TYPE_INT64, 1, &count, &value), "read a number");
        return value;
    }
    // Fills descriptors in; returns how many there are.
    std::int64_t get(cudnnBackendAttributeName_t name, std::vector<Descriptor> &into) const {
        std::vector<cudnnBackendDescriptor_t> handles;
        for (const Descriptor &one : into) {
            handles.push_back(one.handle);
        }
        std::int64_t count = 0;
        const auto asked = static_cast<std::int64_t>(handles.size());
        auto *room = handles.empty() ? nullptr : handles.data();
        check(cudnnBackendGetAttribute(handle, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, asked, &count, room), "read");
        return count;
    }
};

struct Shape {
    std::string name, passes;
    std::int64_t height, width, inputs, outputs, kernel, stride, padding, groups;
};

static Descriptor tensor(std::int64_t number, std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w) {
    Descriptor made(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    made.set(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, std::vector{CUDNN_DATA_BFLOAT16});
    made.numbers(CUDNN_ATTR_TENSOR_DIMENSIONS, {n, c, h, w}).numbers(CUDNN_ATTR_TENSOR_STRIDES, {c * h * w, 1, w * c, c});
    return made.numbers(CUDNN_ATTR_TENSOR_UNIQUE_ID, {number}).numbers(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, {16}).finish();
}

static Descriptor convolution(const Shape &shape) {
    Descriptor made(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    made.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, std::vector{CUDNN_DATA_FLOAT});
    made.set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, std::vector{CUDNN_CROSS_CORRELATION});
    const std::vector<std::int64_t> padding(2, shape.padding), stride(2, shape.stride), one(2, 1);
    made.numbers(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, {2}).numbers(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, padding);
    made.numbers(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, padding).numbers(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, stride);
    return made.numbers(CUDNN_ATTR_CONVOLUTION_DILATIONS, one).finish();
}

// The names that a pass has for what all passes have.
struct Names {
    cudnnBackendDescriptorType_t operation;
    cudnnBackendAttributeName_t alpha, beta, convolution, weight, input, output;
};

static const Names &names(char pass) {
    static const Names forward{
        CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
        CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA,          CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
        CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,             CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
        CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y};
    static const Names data{
        CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
        CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
        CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
        CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY};
    static const Names weight{
        CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
        CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
        CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
        CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY};
    switch (pass) {
    case 'f': return forward;
    case 'd': return data;
    case 'w': return weight;
    default: std::fprintf(stderr, "there is no pass %c\n", pass); std::exit(2);
    }
}

static Descriptor graph(const Shape &s, char pass, std::int64_t rows) {
    const Names &n = names(pass);
    const auto after = [&](std::int64_t side) { return (side + 2 * s.padding - s.kernel) / s.stride + 1; };
    Descriptor operation(n.operation);
    operation.set(n.alpha, CUDNN_TYPE_FLOAT, std::vector{1.0f}).set(n.beta, CUDNN_TYPE_FLOAT, std::vector{0.0f});
    operation.set(n.convolution, convolution(s)).set(n.weight, tensor('w', s.outputs, s.inputs / s.groups, s.kernel, s.kernel));
    operation.set(n.input, tensor('x', rows, s.inputs, s.height, s.width));
    operation.set(n.output, tensor('y', rows, s.outputs, after(s.height), after(s.width))).finish();
    Descriptor made(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    return made.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, operation).finish();
}

// The plans of a convolution: their engines in cuDNN's order, the first one's bytes of workspace, and the least.
struct Answer {
    std::vector<std::int64_t> engines;
    std::int64_t first = -1, least = -1;
};

static Answer ask(const Descriptor &graph, const Descriptor &gpu) {
    Descriptor heuristics(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    heuristics.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
    heuristics.set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, std::vector{CUDNN_HEUR_MODE_A});
    heuristics.set(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, gpu).finish();
    std::vector<Descriptor> configurations;
    const auto count = heuristics.get(CUDNN_ATTR_ENGINEHEUR_RESULTS, configurations);
    for (std::int64_t i = 0; i < count; i++) {
        configurations.emplace_back(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
    }
    heuristics.get(CUDNN_ATTR_ENGINEHEUR_RESULTS, configurations);
    Answer answer;
    for (const Descriptor &configuration : configurations) {
        Descriptor plan(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
        plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration);
        if (!plan.set(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, gpu).finished()) {
            continue;
        }
        std::vector<Descriptor> used{Descriptor(CUDNN_BACKEND_ENGINE_DESCRIPTOR)};
        configuration.get(CUDNN_ATTR_ENGINECFG_ENGINE, used);
        const auto workspace = plan.number(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE);
        answer.first = answer.engines.empty() ? workspace : answer.first;
        answer.least = answer.engines.empty() ? workspace : std::min(workspace, answer.least);
        answer.engines.push_back(used[0].number(CUDNN_ATTR_ENGINE_GLOBAL_INDEX));
    }
    const auto wide = [](auto value) { return static_cast<long long>(value); };
    const auto first = answer.engines.empty() ? -1 : answer.engines[0];
    std::printf(" | %lld e%lld %lld %lld", wide(answer.engines.size()), wide(first), wide(answer.first), wide(answer.least));
    return answer;
}

int main(int count, char **arguments) {
    if (count != 4) {
        std::fprintf(stderr, "usage: plans ROWS FIRST.json SECOND.json < CONVOLUTIONS\n");
        return 2;
    }
    const std::int64_t rows = std::atoll(arguments[1]);
    std::vector<Descriptor> gpus;
    for (int i = 2; i < count; i++) {
        std::ifstream file(arguments[i]);
        std::string json;
        if (!std::getline(file, json)) {
            std::fprintf(stderr, "cannot read %s\n", arguments[i]);
            return 2;
        }
        const std::vector<char> text(json.c_str(), json.c_str() + json.size() + 1);
        Descriptor gpu(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
        gpus.push_back(gpu.set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, text).finish());
    }
    std::string line;
    while (std::getline(std::cin, line)) {
        Shape s;
        std::istringstream words(line);
        if (!(words >> s.name >> s.passes >> s.height >> s.width >> s.inputs >> s.outputs >> s.kernel >> s.stride >> s.padding >> s.groups)) {
            std::fprintf(stderr, "not a convolution: %s\n", line.c_str());
            return 2;
        }
        for (const char pass : s.passes) {
            std::printf("%s %c %lld", s.name.c_str(), pass, static_cast<long long>(rows));
            const Descriptor made = graph(s, pass, rows);
            const Answer first = ask(made, gpus[0]), second = ask(made, gpus[1]);
            const auto &others = second.engines;
            const bool shared = !first.engines.empty() && std::find(others.begin(), others.end(), first.engines[0]) != others.end();
            std::printf(" | %s\n", shared ? "shared" : "own");
        }
    }
}
