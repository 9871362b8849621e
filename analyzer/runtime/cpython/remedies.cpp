#include "runtime/cpython/remedies.h"

#include <cmath>
#include <string>

#include <fmt/format.h>

namespace cowscope::cpython {

namespace {

using runtime::Advisor;
using runtime::Cause;
using runtime::OwnerPages;

// A sample that is smaller says little about how many values differ.
constexpr uint32_t kLeastSampled = 100;
// Equal ones that must have been met in it, for how many values differ in all to be estimated.
constexpr uint32_t kLeastMet = 30;
// Interning helps where a value stands for several: at least four here.
constexpr double kLeastEqual = 4;
// "Many small objects" are so many at least.
constexpr uint64_t kManyObjects = 1000;

// How many values there are in all, if a sample of `sampled` met `distinct` of them, each being as
// likely: distinct = all * (1 - exp(-sampled / all)). Values of which some are rarer are more.
double estimated_values(double sampled, double distinct) {
    double low = distinct;
    double high = 1e12;
    for (int i = 0; i < 100; ++i) {
        const double middle = (low + high) / 2;
        const double expected = middle * -std::expm1(-sampled / middle);
        (expected < distinct ? low : high) = middle;
    }
    return low;
}

uint64_t pages_of(const Advisor& advisor, Cause cause) {
    return advisor.pages_of({cause, runtime::Id::cpython});
}

// Objects of one owner whose counts were written.
void counted_objects(const OwnerPages& found, Advisor* advisor) {
    const trace::Owner& owner = found.owner;
    const uint64_t strs = Advisor::pages_of_type(found, "str");
    const bool is_known =
        owner.sampled >= kLeastSampled && owner.sampled - owner.distinct >= kLeastMet;
    const double values = is_known ? estimated_values(owner.sampled, owner.distinct) : 0;
    if (is_known && values * kLeastEqual <= static_cast<double>(owner.strs)) {
        advisor->add("intern", owner.name, strs,
                     fmt::format("{} strs with few values (a sample of {} had {}). Make equal ones "
                                 "one object before the fork (sys.intern, or a dict of those seen "
                                 "so far): their counts then lie on few pages.",
                                 owner.strs, owner.sampled, owner.distinct));
    } else if (owner.objects >= kManyObjects && owner.sampled >= kLeastSampled) {
        advisor->add("compact", owner.name, strs,
                     "Mostly different strs, so interning would not help. Hold them in few large "
                     "objects (one bytes with offsets, a NumPy array, "
                     "multiprocessing.shared_memory): the text then lies apart from the counts.");
    }
    if (owner.objects < kManyObjects) return;
    const uint64_t numbers =
        Advisor::pages_of_type(found, "int") + Advisor::pages_of_type(found, "float");
    advisor->add("compact", owner.name, numbers,
                 "Hold the numbers in an array.array, a NumPy array or "
                 "multiprocessing.shared_memory: they then have no counts of their own.");
    uint64_t others = 0;
    for (const auto& [type, pages] : found.counted_types) {
        const bool is_told = type == "str" || type == "int" || type == "float";
        // Of code and classes there are no other forms.
        const bool is_program =
            type == "code" || type == "function" || type == "type" || type == "module";
        if (!is_told && !is_program) others += Advisor::pages_of_type(found, type);
    }
    advisor->add("compact", owner.name, others,
                 "Many small objects. Hold what they say in columns (array.array, NumPy arrays, "
                 "multiprocessing.shared_memory), or read them in one process only.");
}

void collector(uint32_t minor, Advisor* advisor) {
    constexpr uint32_t kFirstWithFreeze = 7;
    const uint64_t pages = pages_of(*advisor, Cause::gc_header);
    if (minor != 0 && minor < kFirstWithFreeze) {
        advisor->add("freeze", "", pages,
                     "Call gc.disable() before the fork (this Python has no gc.freeze()): the "
                     "collector's marks are written into every object that it visits.");
    } else {
        advisor->add("freeze", "", pages,
                     "Call gc.freeze() right before the fork: the collector then leaves alone what "
                     "existed by then. It does not stop reference counts.");
    }
}

void hashes(Advisor* advisor) {
    advisor->add("hash", "", pages_of(*advisor, Cause::hash_cache),
                 "Hash the values before the fork (hash(value), or use them as keys once): the "
                 "hash is then kept in the object already.");
}

void adapted_code(uint32_t minor, Advisor* advisor) {
    // Before 3.11 it is a frame that a code object keeps, written at each call.
    constexpr uint32_t kFirstAdaptive = 11;
    if (minor < kFirstAdaptive) return;
    advisor->add("warm-up", "", pages_of(*advisor, Cause::code_cache),
                 "Call the workers' functions a few times before the fork: the interpreter "
                 "rewrites code as it runs, and then need not in each child.");
}

void finalization(const runtime::AdviceInput& input, Advisor* advisor) {
    uint64_t pages = 0;
    for (const auto& [cause, ended] : input.ended_causes) pages += ended;
    advisor->add("exit", "", pages,
                 "Leave the child through os._exit() (after flushing its files): the interpreter's "
                 "end writes to nearly every object.");
}

}  // namespace

void advise(const runtime::AdviceInput& input, Advisor* advisor) {
    const auto version = input.versions.find(runtime::Id::cpython);
    // Of PY_VERSION_HEX; 0 where no Python was seen, or its version is not known.
    const uint32_t minor = version == input.versions.end() ? 0 : version->second >> 16 & 0xff;
    for (const OwnerPages& owner : input.owners) counted_objects(owner, advisor);
    collector(minor, advisor);
    hashes(advisor);
    adapted_code(minor, advisor);
    finalization(input, advisor);
}

}  // namespace cowscope::cpython
