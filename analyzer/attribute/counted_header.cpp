#include "attribute/counted_header.h"

#include <algorithm>
#include <array>

namespace cowscope::attribute {
namespace {

template <size_t Count>
bool starts_with_one_of(std::string_view module,
                        const std::array<std::string_view, Count>& beginnings) {
    return std::ranges::any_of(
        beginnings, [&](std::string_view beginning) { return module.starts_with(beginning); });
}

}  // namespace

CountedHeader counted_header(uint64_t word) {
    const auto count = static_cast<uint32_t>(word);
    const auto kind = static_cast<uint32_t>(word >> 32);
    // No object is counted a thousand million times, and one in use at least once.
    if (count == 0 || count >= 1u << 30) return {};
    CountedHeader found;
    // SVt_IV to SVt_PVOBJ; SVt_NULL has no body and often no flags: zeros say nothing.
    const uint32_t perl_type = kind & 0xff;
    found.perl_scalar = perl_type >= 1 && perl_type <= 18;
    // IS_STRING to IS_CONSTANT_AST.
    const uint32_t php_type = kind & 0xf;
    found.php_value = php_type >= 6 && php_type <= 11;
    return found;
}

bool has_counted_headers(std::string_view module) {
    return is_perl(module) || is_php(module);
}

bool is_perl(std::string_view module) {
    // /usr/bin/perl, perl5.36-x86_64-linux-gnu, libperl.so.5.36
    return module == "perl" || starts_with_one_of<2>(module, {"perl5.", "libperl.so"});
}

bool is_php(std::string_view module) {
    // php8.2, php-fpm8.2, php-cgi8.2; libphp8.2.so is Apache's module, libphp.so an embedded one.
    return module == "php" ||
           starts_with_one_of<6>(module, {"php7", "php8", "php9", "php-fpm", "php-cgi", "libphp"});
}

bool is_malloc_library(std::string_view module) {
    return starts_with_one_of<3>(module, {"libjemalloc.so", "libtcmalloc", "libmimalloc.so"});
}

}  // namespace cowscope::attribute
