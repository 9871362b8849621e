// Advice names what the figures support, and nothing else.
#include <algorithm>
#include <string>

#include "attribute/advice.h"
#include "tests/catch.h"

using namespace cowscope;
using attribute::Advice;
using attribute::AdviceInput;
using attribute::find_advice;
using attribute::OwnerPages;
using runtime::Cause;
using runtime::RuntimeCause;

namespace {

constexpr RuntimeCause of_cpython(Cause cause) {
    return {cause, runtime::Id::cpython};
}

// PY_VERSION_HEX.
constexpr uint32_t version_of(uint32_t minor) {
    return 3u << 24 | minor << 16;
}

AdviceInput refcounts_of(const OwnerPages& found) {
    AdviceInput input;
    input.copied_pages = 10'000;
    input.versions[runtime::Id::cpython] = version_of(11);
    for (const auto& [cause, pages] : found.causes) input.causes[of_cpython(cause)] = pages;
    input.owners.push_back(found);
    return input;
}

OwnerPages strs(uint32_t sampled, uint32_t distinct, uint64_t pages = 9000) {
    OwnerPages found;
    found.owner.name = "__main__.map (dict values)";
    found.causes = {{Cause::refcount, pages}};
    found.counted_types = {{"str", pages}};
    found.owner.objects = found.owner.strs = 100'000;
    found.owner.sampled = sampled;
    found.owner.distinct = distinct;
    return found;
}

bool has(const std::vector<Advice>& advice, const std::string& kind) {
    return std::any_of(advice.begin(), advice.end(),
                       [&](const Advice& each) { return each.kind == kind; });
}

std::vector<Advice> advice_on_cause(RuntimeCause cause, uint64_t pages, uint32_t minor = 11) {
    AdviceInput input;
    input.copied_pages = 10'000;
    input.versions[runtime::Id::cpython] = version_of(minor);
    input.causes = {{cause, pages}};
    return find_advice(input);
}

}  // namespace

TEST_CASE("equal strs are worth interning", "[advice]") {
    const auto advice = find_advice(refcounts_of(strs(2000, 300)));
    REQUIRE(advice.size() == 1);
    CHECK(advice[0].kind == "intern");
    CHECK(advice[0].owner == "__main__.map (dict values)");
    CHECK(advice[0].pages == 9000);
    CHECK(advice[0].text.find("2000") != std::string::npos);
    CHECK(advice[0].text.find("300") != std::string::npos);
}

TEST_CASE("values in all are estimated from the equal ones in a sample", "[advice]") {
    // 10,000 values among 100,000 strs: a sample of 2,000 meets 1,813 of them.
    CHECK(has(find_advice(refcounts_of(strs(2000, 1813))), "intern"));
    // 50,000 values: 1,961.
    CHECK_FALSE(has(find_advice(refcounts_of(strs(2000, 1961))), "intern"));
}

TEST_CASE("different strs are not advised to be interned", "[advice]") {
    const auto advice = find_advice(refcounts_of(strs(2000, 1990)));
    CHECK_FALSE(has(advice, "intern"));
    CHECK(has(advice, "compact"));
}

TEST_CASE("nothing is advised on too few objects, samples or pages", "[advice]") {
    CHECK(find_advice({}).empty());
    CHECK(find_advice(refcounts_of(strs(20, 1))).empty());
    CHECK(find_advice(refcounts_of(strs(2000, 300, 50))).empty());
    OwnerPages few = strs(0, 0);
    few.owner.objects = 10;
    few.counted_types = {{"float", 9000}};
    CHECK(find_advice(refcounts_of(few)).empty());
}

TEST_CASE("the strs of an owner are no reason where others were written", "[advice]") {
    OwnerPages found = strs(2000, 300);
    found.counted_types = {{"dict", 9000}};
    const auto advice = find_advice(refcounts_of(found));
    CHECK_FALSE(has(advice, "intern"));
    REQUIRE(advice.size() == 1);
    CHECK(advice[0].kind == "compact");
    CHECK(advice[0].pages == 9000);
}

TEST_CASE("what the interpreter's end wrote is no reason to change the data", "[advice]") {
    OwnerPages found = strs(2000, 300);
    found.ended_types = {{"str", 8990}};
    AdviceInput input = refcounts_of(found);
    input.ended_causes = {{of_cpython(Cause::refcount), 8990}};
    const auto advice = find_advice(input);
    REQUIRE(advice.size() == 1);
    CHECK(advice[0].kind == "exit");
    CHECK(advice[0].pages == 8990);
}

TEST_CASE("numbers are worth an array", "[advice]") {
    OwnerPages found = strs(0, 0);
    found.counted_types = {{"int", 4000}, {"float", 1000}};
    const auto advice = find_advice(refcounts_of(found));
    REQUIRE(advice.size() == 1);
    CHECK(advice[0].pages == 5000);
    CHECK(advice[0].text.find("array") != std::string::npos);
}

TEST_CASE("classes and code have no other form", "[advice]") {
    OwnerPages found = strs(0, 0);
    found.counted_types = {{"code", 4000}, {"type", 1000}, {"function", 4000}};
    CHECK(find_advice(refcounts_of(found)).empty());
}

TEST_CASE("each cause has its remedy", "[advice]") {
    CHECK(has(advice_on_cause(of_cpython(Cause::gc_header), 5000), "freeze"));
    CHECK(advice_on_cause(of_cpython(Cause::gc_header), 5000)[0].text.find("gc.freeze()") !=
          std::string::npos);
    CHECK(advice_on_cause(of_cpython(Cause::gc_header), 5000, 6)[0].text.find("gc.disable()") !=
          std::string::npos);
    CHECK(has(advice_on_cause(of_cpython(Cause::hash_cache), 5000), "hash"));
    CHECK(has(advice_on_cause(of_cpython(Cause::code_cache), 5000), "warm-up"));
    CHECK(advice_on_cause(of_cpython(Cause::code_cache), 5000, 10).empty());
    CHECK(has(advice_on_cause({Cause::lazy_binding}, 5000), "bind-now"));
    CHECK(has(advice_on_cause({Cause::kernel}, 5000), "buffers"));
    CHECK(advice_on_cause(of_cpython(Cause::gc_header), 99).empty());
    CHECK(advice_on_cause({Cause::store}, 5000).empty());
    AdviceInput input;
    input.copied_pages = 10'000;
    input.causes = {{of_cpython(Cause::gc_header), 9000}};
    input.ended_causes = {{of_cpython(Cause::gc_header), 8950}};
    const auto advice = find_advice(input);
    CHECK(has(advice, "exit"));
    CHECK_FALSE(has(advice, "freeze"));
}

TEST_CASE("the most pages come first", "[advice]") {
    AdviceInput input = refcounts_of(strs(2000, 300, 4000));
    input.causes[of_cpython(Cause::gc_header)] = 5000;
    const auto advice = find_advice(input);
    REQUIRE(advice.size() == 2);
    CHECK(advice[0].kind == "freeze");
    CHECK(advice[1].kind == "intern");
}
