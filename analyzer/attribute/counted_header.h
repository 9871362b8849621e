// Reference counts of interpreters whose objects say what they are: Perl's scalars and PHP's values
// keep their kind in the four bytes behind the count.
#pragma once

#include <cstdint>
#include <string_view>

namespace cowscope::attribute {

// What a count and the four bytes behind it look like. Both may fit: a count of PHP's arrays could
// be a scalar's. The module of the instruction says which it can be.
struct CountedHeader {
    bool perl_scalar = false;  // SvREFCNT and SvFLAGS (perl 5.10 on, sv.h)
    bool php_value = false;    // zend_refcounted_h: refcount and type_info (PHP 7 on, zend_types.h)

    auto operator<=>(const CountedHeader&) const = default;
};

// `word` is what lay at the address before the write.
CountedHeader counted_header(uint64_t word);

// Whether code of that module (a file's name) writes such counts at all.
bool has_counted_headers(std::string_view module);

// Whether code of that module is perl's, PHP's, or of a library that is a malloc.
bool is_perl(std::string_view module);
bool is_php(std::string_view module);
bool is_malloc_library(std::string_view module);

}  // namespace cowscope::attribute
