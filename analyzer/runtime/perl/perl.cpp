// Perl 5 as a member of the table: the reference counts of its values and of their strings.
#include <array>
#include <memory>

#include <fmt/format.h>

#include "runtime/counted_word.h"
#include "runtime/function_names.h"
#include "runtime/runtime.h"

namespace cowscope::runtime {
namespace {

enum class PerlMemory : uint8_t {
    none,
    value_count,  // SvREFCNT, with SvFLAGS behind it (perl 5.10 on, sv.h)
};

bool is_perl(std::string_view module) {
    // /usr/bin/perl, perl5.36-x86_64-linux-gnu, libperl.so.5.36
    constexpr std::array<std::string_view, 2> kBeginnings = {"perl5.", "libperl.so"};
    return module == "perl" || begins_with_one_of(module, kBeginnings);
}

// Copies and ends of strings that several scalars share: sv.c and sv_inline.h, which have
// CowREFCNT.
bool names_shared_string(std::string_view function) {
    constexpr std::array<std::string_view, 6> kNames = {
        "Perl_sv_setsv_flags",        "Perl_sv_setsv_cow", "Perl_sv_clear",
        "Perl_sv_force_normal_flags", "S_sv_uncow",        "Perl_sv_free2"};
    return is_one_of(function, kNames);
}

class PerlView final : public ProcessView {
  public:
    Target target_of(const trace::EventRecord& event, uint32_t /*type*/,
                     std::string_view module) const override {
        if (!is_perl(module)) return {};
        const auto flags = kind_behind_count(event);
        if (!flags) return {};
        // SVt_IV to SVt_PVOBJ; SVt_NULL has no body and often no flags: zeros say nothing.
        const uint32_t type = *flags & 0xff;
        if (type < 1 || type > 18) return {};
        return {Id::perl, static_cast<uint8_t>(PerlMemory::value_count), 0, true};
    }
};

class Perl final : public Runtime {
  public:
    Id id() const override { return Id::perl; }
    std::unique_ptr<ProcessView> view_of(const trace::ProcessTrace& /*process*/) const override {
        return std::make_unique<PerlView>();
    }

    std::optional<Verdict> find_count(const Write& write) const override {
        if (!is_perl(write.module)) return std::nullopt;
        const bool is_indexed = write.instruction->address.index.width_bytes != 0;
        constexpr uint64_t kCountOffset = 8;  // behind the pointer to the body
        if (write.target.kind_in<PerlMemory>(Id::perl) == PerlMemory::value_count && !is_indexed &&
            counts_at(write, 4, kCountOffset)) {
            return Verdict{Cause::refcount,
                           fmt::format("{}, the count of a Perl value: its flags follow",
                                       describe_change(write))};
        }
        // Strings that several scalars share have their count in the last byte of the buffer.
        if (!write.target.is_free_for(Id::perl) || !is_indexed ||
            !counts_at(write, 1, ~uint64_t{0})) {
            return std::nullopt;
        }
        const auto name = first_named(write, names_shared_string);
        if (name.empty()) return std::nullopt;
        return Verdict{Cause::refcount,
                       fmt::format("{} {} the last byte of a Perl string's buffer: how many "
                                   "scalars share it",
                                   name, *write.change > 0 ? "adds 1 to" : "takes 1 from")};
    }
};

}  // namespace

const Runtime& perl_runtime() {
    static const Perl member;
    return member;
}

}  // namespace cowscope::runtime
