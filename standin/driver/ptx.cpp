#include "ptx.h"

#include <cstdlib>

namespace host {

int target(std::string_view ptx) {
    const std::string_view word = ".target sm_";
    const std::size_t at = ptx.find(word);
    return at == ptx.npos ? 0 : std::atoi(std::string(ptx.substr(at + word.size(), 4)).c_str());
}

// The bytes of a type such as `.u64`: its last digits are bits.
static std::size_t bytes_of(std::string_view type) {
    const std::size_t digits = type.find_first_of("0123456789");
    return digits == type.npos ? 0 : std::strtoul(std::string(type.substr(digits)).c_str(), nullptr, 10) / 8;
}

bool parameters(std::string_view ptx, std::string_view kernel, std::vector<std::size_t> &bytes) {
    const std::string entry = ".entry " + std::string(kernel) + "(";
    const std::size_t begin = ptx.find(entry);
    if (begin == ptx.npos) {
        return false;
    }
    const std::string_view list = ptx.substr(begin, ptx.find(')', begin) - begin);
    const std::string_view word = ".param ";
    for (std::size_t at = list.find(word); at != list.npos; at = list.find(word, at + 1)) {
        bytes.push_back(bytes_of(list.substr(at + word.size(), 8)));
    }
    return true;
}

} // namespace host
