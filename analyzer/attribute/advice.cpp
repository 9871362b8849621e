#include "attribute/advice.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include <fmt/format.h>

namespace cowscope::attribute {

namespace {

// Less is not worth a change of the program.
constexpr double kLeastShare = 0.01;
constexpr uint64_t kLeastPages = 256;  // 1 MiB
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

class Rules {
  public:
    explicit Rules(const AdviceInput& input) : input_(input) {}

    std::vector<Advice> all() {
        for (const OwnerPages& owner : input_.owners) counted_objects(owner);
        collector();
        simple("hash-cache", "hash",
               "Hash the values before the fork (hash(value), or use them as keys once): the hash "
               "is then kept in the object already.");
        // Before 3.11 it is a frame that a code object keeps, written at each call.
        constexpr uint32_t kFirstAdaptive = 11;
        if (input_.python_minor >= kFirstAdaptive) {
            simple("code-cache", "warm-up",
                   "Call the workers' functions a few times before the fork: the interpreter "
                   "rewrites code as it runs, and then need not in each child.");
        }
        simple("lazy-binding", "bind-now",
               "Start the program with LD_BIND_NOW=1 (or link with -z now): functions are then "
               "bound before the fork.");
        simple("kernel", "buffers",
               "Allocate buffers that are read into after the fork: the kernel's writes into those "
               "from before it copied these pages.");
        finalization();
        std::stable_sort(advice_.begin(), advice_.end(),
                         [](const Advice& a, const Advice& b) { return a.pages > b.pages; });
        return std::move(advice_);
    }

  private:
    bool is_worth(uint64_t pages) const {
        return pages >= kLeastPages &&
               static_cast<double>(pages) >= kLeastShare * static_cast<double>(input_.copied_pages);
    }

    void add(std::string kind, std::string owner, uint64_t pages, std::string text) {
        if (is_worth(pages)) {
            advice_.push_back({std::move(kind), std::move(owner), pages, std::move(text)});
        }
    }

    void simple(const char* cause, const char* kind, const char* text) {
        add(kind, "", pages_of_cause(cause), text);
    }

    // Against what the interpreter's end writes, something else helps.
    uint64_t pages_of_cause(const char* cause) const {
        const uint64_t all = pages_of(input_.causes, cause);
        return all - std::min(all, pages_of(input_.ended_causes, cause));
    }
    static uint64_t pages_of_type(const OwnerPages& found, const std::string& type) {
        const uint64_t all = pages_of(found.counted_types, type);
        return all - std::min(all, pages_of(found.ended_types, type));
    }

    static uint64_t pages_of(const std::map<std::string, uint64_t>& pages,
                             const std::string& name) {
        const auto found = pages.find(name);
        return found == pages.end() ? 0 : found->second;
    }

    // Objects of one owner whose counts were written.
    void counted_objects(const OwnerPages& found) {
        const trace::Owner& owner = found.owner;
        const uint64_t strs = pages_of_type(found, "str");
        const bool is_known =
            owner.sampled >= kLeastSampled && owner.sampled - owner.distinct >= kLeastMet;
        const double values = is_known ? estimated_values(owner.sampled, owner.distinct) : 0;
        if (is_known && values * kLeastEqual <= static_cast<double>(owner.strs)) {
            add("intern", owner.name, strs,
                fmt::format("{} strs with few values (a sample of {} had {}). Make equal ones one "
                            "object before the fork (sys.intern, or a dict of those seen so far): "
                            "their counts then lie on few pages.",
                            owner.strs, owner.sampled, owner.distinct));
        } else if (owner.objects >= kManyObjects && owner.sampled >= kLeastSampled) {
            add("compact", owner.name, strs,
                "Mostly different strs, so interning would not help. Hold them in few large "
                "objects (one bytes with offsets, a NumPy array, "
                "multiprocessing.shared_memory): the text then lies apart from the counts.");
        }
        const uint64_t numbers = pages_of_type(found, "int") + pages_of_type(found, "float");
        if (owner.objects >= kManyObjects) {
            add("compact", owner.name, numbers,
                "Hold the numbers in an array.array, a NumPy array or "
                "multiprocessing.shared_memory: they then have no counts of their own.");
        }
        uint64_t others = 0;
        for (const auto& [type, pages] : found.counted_types) {
            const bool is_told = type == "str" || type == "int" || type == "float";
            // Of code and classes there are no other forms.
            const bool is_program =
                type == "code" || type == "function" || type == "type" || type == "module";
            if (!is_told && !is_program) others += pages_of_type(found, type);
        }
        if (owner.objects >= kManyObjects) {
            add("compact", owner.name, others,
                "Many small objects. Hold what they say in columns (array.array, NumPy arrays, "
                "multiprocessing.shared_memory), or read them in one process only.");
        }
    }

    void collector() {
        constexpr uint32_t kFirstWithFreeze = 7;
        const uint64_t pages = pages_of_cause("gc-header");
        if (input_.python_minor != 0 && input_.python_minor < kFirstWithFreeze) {
            add("freeze", "", pages,
                "Call gc.disable() before the fork (this Python has no gc.freeze()): the "
                "collector's marks are written into every object that it visits.");
        } else {
            add("freeze", "", pages,
                "Call gc.freeze() right before the fork: the collector then leaves alone what "
                "existed by then. It does not stop reference counts.");
        }
    }

    void finalization() {
        uint64_t pages = 0;
        for (const auto& [cause, ended] : input_.ended_causes) pages += ended;
        add("exit", "", pages,
            "Leave the child through os._exit() (after flushing its files): the interpreter's end "
            "writes to nearly every object.");
    }

    const AdviceInput& input_;
    std::vector<Advice> advice_;
};

}  // namespace

std::vector<Advice> find_advice(const AdviceInput& input) {
    if (input.copied_pages == 0) return {};
    return Rules(input).all();
}

}  // namespace cowscope::attribute
