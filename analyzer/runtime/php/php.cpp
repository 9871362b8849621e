// PHP 7 on as a member of the table: the reference counts of its values, and its allocator.
#include <algorithm>
#include <array>
#include <memory>

#include <fmt/format.h>

#include "runtime/counted_word.h"
#include "runtime/function_names.h"
#include "runtime/runtime.h"

namespace cowscope::runtime {
namespace {

enum class PhpMemory : uint8_t {
    none,
    value_count,  // zend_refcounted_h: refcount, with type_info behind it (zend_types.h)
};

bool is_php(std::string_view module) {
    // php8.2, php-fpm8.2, php-cgi8.2; libphp8.2.so is Apache's module, libphp.so an embedded one.
    constexpr std::array<std::string_view, 6> kBeginnings = {"php7",    "php8",    "php9",
                                                             "php-fpm", "php-cgi", "libphp"};
    return module == "php" || begins_with_one_of(module, kBeginnings);
}

// "_efree", "_emalloc_56", "zend_mm_alloc_int".
bool names_allocator(std::string_view function) {
    const std::string_view name = base_name(function);
    constexpr std::array<std::string_view, 6> kParts = {"_emalloc",  "_efree",        "_ecalloc",
                                                        "_erealloc", "_safe_emalloc", "zend_mm_"};
    return begins_with_one_of(name, kParts);
}

class PhpView final : public ProcessView {
  public:
    Target target_of(const trace::EventRecord& event, uint32_t /*type*/,
                     std::string_view module) const override {
        if (!is_php(module)) return {};
        const auto type_info = kind_behind_count(event);
        if (!type_info) return {};
        // IS_STRING to IS_CONSTANT_AST.
        const uint32_t type = *type_info & 0xf;
        if (type < 6 || type > 11) return {};
        return {Id::php, static_cast<uint8_t>(PhpMemory::value_count), 0, true};
    }
};

class Php final : public Runtime {
  public:
    Id id() const override { return Id::php; }
    std::unique_ptr<ProcessView> view_of(const trace::ProcessTrace& /*process*/) const override {
        return std::make_unique<PhpView>();
    }

    std::optional<Verdict> find_count(const Write& write) const override {
        const bool is_indexed = write.instruction->address.index.width_bytes != 0;
        if (write.target.kind_in<PhpMemory>(Id::php) != PhpMemory::value_count || is_indexed ||
            !counts_at(write, 4, 0)) {
            return std::nullopt;
        }
        return Verdict{
            Cause::refcount,
            fmt::format("{}, the count of a PHP value: its type follows", describe_change(write))};
    }
    std::optional<Verdict> find_in_memory(const Write& write) const override {
        if (!is_php(write.module) || !is_on_heap(write)) return std::nullopt;
        const auto name = first_named(write, names_allocator);
        if (name.empty()) return std::nullopt;
        return Verdict{Cause::allocator,
                       fmt::format("{} keeps PHP's lists of free blocks in the blocks", name)};
    }
    bool names_reference_count(std::string_view function) const override {
        return base_name(function) == "destroy_zend_class";  // of classes, which are no values
    }
};

}  // namespace

const Runtime& php_runtime() {
    static const Php member;
    return member;
}

}  // namespace cowscope::runtime
