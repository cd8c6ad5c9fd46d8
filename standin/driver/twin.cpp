#include "twin.h"

#include <map>
#include <tuple>
#include <type_traits>
#include <utility>

#include "../kernels.h"

namespace host {

template <class... P, std::size_t... I>
static std::function<void()> bound(void (*kernel)(P...), void **given, std::index_sequence<I...>) {
    const std::tuple<P...> arguments{*static_cast<P *>(given[I])...};
    return [kernel, arguments] { std::apply(kernel, arguments); };
}

template <class... P> static Twin of(const char *name, void (*kernel)(P...)) {
    return Twin{
        name,
        {Parameter{sizeof(P), std::is_pointer_v<P>}...},
        [kernel](void **given) { return bound(kernel, given, std::index_sequence_for<P...>()); },
    };
}

#define ONE(name) {#name, of(#name, name)},
#define BOTH_OF(name) ONE(name##_f32) ONE(name##_bf16)

const Twin *twin(std::string_view name) {
    static const std::map<std::string_view, Twin> twins{
        BOTH_OF(finish) BOTH_OF(place) BOTH_OF(bias_activation) BOTH_OF(activation_backward)
        BOTH_OF(activation_backward_joined) BOTH_OF(bias_partial)
        BOTH_OF(max_pool) BOTH_OF(max_pool_backward) BOTH_OF(lrn) BOTH_OF(lrn_backward)
        BOTH_OF(map_norm) BOTH_OF(map_norm_backward) BOTH_OF(dropout) BOTH_OF(cross_entropy)
        BOTH_OF(widen) BOTH_OF(narrow) BOTH_OF(add_scaled)
        ONE(lrn_tf32) ONE(lrn_backward_tf32) ONE(bias_final) ONE(scores_add) ONE(sgd) ONE(norm_final)
        ONE(cast_f32_bf16) ONE(cast_bf16_f32)
    };
    const auto found = twins.find(name);
    return found == twins.end() ? nullptr : &found->second;
}

} // namespace host
