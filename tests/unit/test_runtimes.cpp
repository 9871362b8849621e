// The interface of runtimes, with members that nobody has: what is asked of them, and in which
// order.
#include <array>
#include <memory>
#include <string>

#include "attribute/advice.h"
#include "attribute/cause.h"
#include "runtime/process.h"
#include "tests/catch.h"
#include "write_fixture.h"

using namespace cowscope;
using runtime::Cause;
using runtime::Id;
using runtime::Runtime;
using runtime::Target;
using runtime::Verdict;
using runtime::Write;

namespace {

// Knows one cell, at address 0x5000, whose type is number 7.
class CellView final : public runtime::ProcessView {
  public:
    explicit CellView(Id id) : id_(id) {}
    Target target_of(const trace::EventRecord& event, uint32_t /*type*/,
                     std::string_view module) const override {
        return event.address == 0x5000 && module == "cells" ? Target{id_, 1, 7} : Target{};
    }
    std::string type_name(uint32_t type) const override { return type == 7 ? "Cell" : ""; }
    bool is_ending(const trace::EventRecord& event) const override { return event.time_ns == 99; }
    bool has_interpreter() const override { return true; }
    uint64_t address_in_module() const override { return 0x400000; }
    std::optional<unsigned> line_of(uint32_t code, int32_t offset) override {
        return code * 100 + static_cast<unsigned>(offset);
    }

  private:
    Id id_;
};

class Cells final : public Runtime {
  public:
    explicit Cells(Id id, std::string word) : id_(id), word_(std::move(word)) {}
    Id id() const override { return id_; }
    std::unique_ptr<runtime::ProcessView> view_of(const trace::ProcessTrace&) const override {
        return std::make_unique<CellView>(id_);
    }
    std::optional<Verdict> find_count(const Write& write) const override {
        if (write.target.runtime != id_ || write.change != 1) return std::nullopt;
        return Verdict{Cause::refcount, word_ + " counts"};
    }
    std::optional<Verdict> find_in_memory(const Write& write) const override {
        if (write.target.runtime != id_) return std::nullopt;
        return Verdict{Cause::gc_header, word_ + " marks " + std::string(write.object_type)};
    }
    std::optional<Verdict> find_in_data(const Write& write) const override {
        if (write.module_of != id_) return std::nullopt;
        return Verdict{Cause::runtime_state, word_ + " keeps state"};
    }
    runtime::FunctionRole role_of(std::string_view function) const override {
        return function == word_ + "_run" ? runtime::FunctionRole::runs_frames
                                          : runtime::FunctionRole::other;
    }
    void advise(const runtime::AdviceInput& input, runtime::Advisor* advisor) const override {
        if (input.versions.count(id_) == 0) return;
        advisor->add(word_, "", advisor->pages_of({Cause::gc_header, id_}), "Mark before.");
    }

  private:
    Id id_;
    std::string word_;
};

// Ids of real members stand for those of made-up ones.
const Cells kCells(Id::perl, "cells");
const Cells kOthers(Id::php, "others");
const std::array<const Runtime*, 2> kMembers = {&kOthers, &kCells};

std::optional<Verdict> cause_of(const WriteCase& each) {
    Write write = each.input;
    write.instruction = &each.instruction;
    return attribute::find_cause(write, kMembers);
}

}  // namespace

TEST_CASE("a member decides on what it knows, and is named with the verdict", "[runtime]") {
    WriteCase each(kStore);
    each.input.target = {Id::perl, 1, 7};
    each.input.object_type = "Cell";
    const auto marked = cause_of(each);
    REQUIRE(marked);
    CHECK(marked->cause == Cause::gc_header);
    CHECK(marked->evidence == "cells marks Cell");
    CHECK(marked->runtime == Id::perl);

    WriteCase counted(kAddOne);
    counted.input.target = {Id::php, 1, 7};
    CHECK(cause_of(counted)->evidence == "others counts");
    CHECK(cause_of(counted)->runtime == Id::php);
    // What none of them knows is nobody's.
    counted.input.target = {};
    CHECK(cause_of(counted)->cause == Cause::store);
    CHECK(cause_of(counted)->runtime == Id::none);
}

TEST_CASE("on a stack only counts are a runtime's", "[runtime]") {
    WriteCase each(kAddOne);
    each.input.region = runtime::Region::stack;
    each.input.target = {Id::perl, 1, 7};
    CHECK(cause_of(each)->cause == Cause::refcount);
    WriteCase store(kStore);
    store.input.region = runtime::Region::stack;
    store.input.target = {Id::perl, 1, 7};
    CHECK(cause_of(store)->cause == Cause::stack);
}

TEST_CASE("data of a member's module is the member's, that of other modules is not", "[runtime]") {
    WriteCase each(kStore);
    each.input.region = runtime::Region::library_data;
    each.input.region_name = "libcells.so";
    CHECK(cause_of(each)->cause == Cause::library_data);
    each.input.module_of = Id::perl;
    CHECK(cause_of(each)->cause == Cause::runtime_state);
    CHECK(cause_of(each)->runtime == Id::perl);
}

TEST_CASE("a target that is certain is no count for a function's name", "[runtime]") {
    WriteCase each(kAddOne);
    each.input.functions = {"add_ref()"};
    each.input.target = {Id::malloc, 1};
    CHECK(cause_of(each)->cause == Cause::store);
    each.input.target.is_guess = true;
    CHECK(cause_of(each)->cause == Cause::refcount);
}

TEST_CASE("a process is known through its members' views", "[runtime]") {
    trace::ProcessTrace process;
    process.runtime.codes.resize(3);
    process.runtime.stacks.emplace_back().frames.push_back({2, 5});
    const runtime::ProcessRuntimes runtimes(process, kMembers);

    trace::EventRecord event{};
    event.address = 0x5000;
    const Target target = runtimes.target_of(event, 0, "cells");
    CHECK(target == Target{Id::php, 1, 7});  // the first member that knows
    CHECK(runtimes.type_name(target) == "Cell");
    CHECK(runtimes.target_of(event, 0, "elsewhere") == Target{});
    CHECK(runtimes.type_name({}) == "");

    CHECK_FALSE(runtimes.is_ending(event));
    event.time_ns = 99;
    CHECK(runtimes.is_ending(event));
    CHECK(runtimes.has_interpreter());
    CHECK(runtimes.role_of("cells_run") == runtime::FunctionRole::runs_frames);
    CHECK(runtimes.role_of("cells_walk") == runtime::FunctionRole::other);
    CHECK(runtimes.modules().at(Id::perl) == 0x400000);
    CHECK(runtimes.stacks().innermost(0).line == 205);
    CHECK(runtimes.stacks().innermost(1).line == 0);
}

TEST_CASE("a runtime advises against its own causes", "[runtime]") {
    runtime::AdviceInput input;
    input.copied_pages = 10'000;
    input.causes = {{{Cause::gc_header, Id::perl}, 5000}, {{Cause::gc_header, Id::php}, 4000}};
    input.versions = {{Id::perl, 1}};
    const auto advice = attribute::find_advice(input, kMembers);
    REQUIRE(advice.size() == 1);
    CHECK(advice[0].kind == "cells");
    CHECK(advice[0].pages == 5000);
    // What its end wrote is another matter.
    input.ended_causes = {{{Cause::gc_header, Id::perl}, 4990}};
    CHECK(attribute::find_advice(input, kMembers).empty());
}

TEST_CASE("each member of the table has an id of its own", "[runtime]") {
    const runtime::Members members = runtime::all_members();
    CHECK(members.size() == 4);
    for (size_t i = 0; i < members.size(); ++i) {
        CHECK(static_cast<size_t>(members[i]->id()) == i + 1);
    }
}
