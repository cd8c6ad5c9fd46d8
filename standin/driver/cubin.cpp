#include "cubin.h"

#include <elf.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>

namespace host {

// The machine of NVIDIA's GPUs in an ELF header.
constexpr int CUDA_MACHINE = 190;

// The first version of the ABI whose flags have the capability in their second byte instead of their first.
constexpr int LATER_ABI = 8;

// An entry of .nv.info.KERNEL with a size of its own, and the attribute of those that describe a parameter: a word,
// the parameter's number and offset in 16 bits each, and a word whose upper 14 bits are its size.
constexpr unsigned char SIZED = 4, PARAMETER = 0x17;

template <class T> static T read(std::string_view bytes, std::size_t at) {
    T value{};
    if (at + sizeof value <= bytes.size()) {
        std::memcpy(&value, bytes.data() + at, sizeof value);
    }
    return value;
}

std::string cubin(const void *image) {
    Elf64_Ehdr header;
    if (std::memcmp(image, ELFMAG, SELFMAG) != 0) {
        return {};
    }
    std::memcpy(&header, image, sizeof header);
    if (header.e_machine != CUDA_MACHINE) {
        return {};
    }
    const std::size_t sections = header.e_shoff + std::size_t{header.e_shnum} * header.e_shentsize;
    const std::size_t programs = header.e_phoff + std::size_t{header.e_phnum} * header.e_phentsize;
    return {static_cast<const char *>(image), std::max(sections, programs)};
}

int cubin_target(std::string_view cubin) {
    const auto header = read<Elf64_Ehdr>(cubin, 0);
    const int shift = header.e_ident[EI_ABIVERSION] >= LATER_ABI ? 8 : 0;
    return static_cast<int>(header.e_flags >> shift & 0xff);
}

static std::string_view section(std::string_view cubin, std::string_view name) {
    const auto header = read<Elf64_Ehdr>(cubin, 0);
    const auto at = [&](std::size_t number) {
        return read<Elf64_Shdr>(cubin, header.e_shoff + number * header.e_shentsize);
    };
    const auto names = at(header.e_shstrndx);
    for (std::size_t number = 0; number < header.e_shnum; number++) {
        const auto found = at(number);
        if (name == cubin.data() + names.sh_offset + found.sh_name) {
            return cubin.substr(found.sh_offset, found.sh_size);
        }
    }
    return {};
}

bool cubin_parameters(std::string_view cubin, std::string_view kernel, std::vector<std::size_t> &bytes) {
    if (section(cubin, ".text." + std::string(kernel)).empty()) {
        return false;
    }
    const std::string_view info = section(cubin, ".nv.info." + std::string(kernel));
    // They stand there from the last to the first.
    std::map<std::uint16_t, std::size_t> sizes;
    for (std::size_t at = 0; at + 4 <= info.size();) {
        const auto format = read<unsigned char>(info, at), attribute = read<unsigned char>(info, at + 1);
        const auto size = read<std::uint16_t>(info, at + 2);
        at += 4;
        if (format == SIZED && attribute == PARAMETER) {
            sizes[read<std::uint16_t>(info, at + 4)] = read<std::uint32_t>(info, at + 8) >> 18;
        }
        at += format == SIZED ? size : 0;
    }
    for (const auto &[number, size] : sizes) {
        bytes.push_back(size);
    }
    return true;
}

} // namespace host
