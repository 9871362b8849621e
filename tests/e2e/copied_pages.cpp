#include "copied_pages.h"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>

#include "attribute/address_space.h"
#include "attribute/cause.h"
#include "attribute/site_resolver.h"
#include "decode/instruction.h"
#include "symbolize/symbolizer.h"
#include "tests/catch.h"
#include "trace/trace.h"

namespace cowscope::e2e {
namespace {

constexpr uint64_t kPageMask = ~uint64_t{trace::kPageBytes - 1};

// Verdicts by what they depend on: every event of a site need not be decided anew.
class Judge {
  public:
    Judge(const trace::ProcessTrace& process, symbolize::Symbolizer* symbolizer,
          decode::Decoder* decoder)
        : space_(process, symbolizer), sites_(process, &space_, decoder, &frames_) {}

    // Nothing for an instruction that only read.
    const std::optional<FirstWrite>& judge(const trace::EventRecord& event, uint32_t type_number) {
        const uint32_t region = space_.region_of(event.address);
        const runtime::Target target =
            sites_.runtimes().target_of(event, type_number, sites_.resolve(event.site).module);
        const std::string type = sites_.runtimes().type_name(target);
        const auto [known, is_new] = verdicts_.try_emplace({event.site, target, region});
        if (is_new) {
            const attribute::WrittenPlace written{target, type, &space_.region(region)};
            if (const auto verdict = sites_.verdict(event.site, written)) {
                known->second =
                    FirstWrite{std::string(attribute::cause_name(verdict->cause)), type};
            }
        }
        return known->second;
    }

  private:
    attribute::FrameTable frames_;
    attribute::AddressSpace space_;
    attribute::SiteResolver sites_;
    std::map<std::tuple<uint32_t, runtime::Target, uint32_t>, std::optional<FirstWrite>> verdicts_;
};

// Whether the event is of a page that the process shared. The trace does not always know that at
// once, trace_format.h: kMovedPage, kBeforeList,
// kZeroPage.
bool is_of_shared_page(const trace::EventRecord& event, const trace::Epoch& epoch) {
    if ((event.header.flags & (trace::kMovedPage | trace::kBeforeList)) != 0) return true;
    if (!epoch.inherited.contains(event.address)) return false;
    const bool perhaps_new = (event.header.flags & trace::kZeroPage) != 0;
    const bool census_knows =
        epoch.census && epoch.was_protected && event.time_ns < epoch.census_ns;
    return !perhaps_new || !census_knows || epoch.copied.contains(event.address);
}

CopiedPages copied_pages_of(const trace::ProcessTrace& process, symbolize::Symbolizer* symbolizer,
                            decode::Decoder* decoder) {
    CopiedPages copied;
    copied.pid = static_cast<int>(process.pid());
    copied.parent = static_cast<int>(process.process.parent_pid);
    copied.forked = process.process.role == trace::Role::fork;
    for (const trace::Epoch& epoch : process.epochs) {
        copied.fork_addresses = epoch.fork_addresses;
        for (const trace::PageRun& run : epoch.copied.runs()) {
            for (uint64_t page = 0; page < run.pages; ++page) {
                copied.census.insert(run.start + page * trace::kPageBytes);
            }
        }
        for (const trace::PageRun& run : epoch.unseen.runs()) {
            for (uint64_t page = 0; page < run.pages; ++page) {
                copied.unseen.insert(run.start + page * trace::kPageBytes);
            }
        }
    }
    Judge judge(process, symbolizer, decoder);
    trace::for_each_event(process,
                          [&](const trace::EventRecord& event, const trace::EventPlace& place) {
                              if (!is_of_shared_page(event, process.epochs[place.epoch])) return;
                              if (const auto& write = judge.judge(event, place.type)) {
                                  copied.witnessed.try_emplace(event.address & kPageMask, *write);
                              }
                          });
    return copied;
}

}  // namespace

std::string CopiedPages::cause_of(uint64_t page) const {
    const auto found = witnessed.find(page);
    return found == witnessed.end() ? "" : found->second.cause;
}

uint64_t CopiedPages::count_of_cause(const std::string& cause) const {
    return static_cast<uint64_t>(
        std::count_if(witnessed.begin(), witnessed.end(),
                      [&](const auto& each) { return each.second.cause == cause; }));
}

uint64_t CopiedPages::copied_count() const {
    uint64_t count = witnessed.size();
    for (const uint64_t page : census) count += witnessed.count(page) == 0 ? 1 : 0;
    return count;
}

uint64_t CopiedPages::most_copied_count() const {
    uint64_t count = copied_count();
    for (const uint64_t page : unseen) {
        count += witnessed.count(page) == 0 && census.count(page) == 0 ? 1 : 0;
    }
    return count;
}

std::vector<CopiedPages> read_copied_pages(const std::string& folder) {
    const trace::Trace trace = trace::load(folder);
    symbolize::Symbolizer symbolizer;
    decode::Decoder decoder;
    std::vector<CopiedPages> all;
    for (const trace::ProcessTrace& process : trace.processes) {
        all.push_back(copied_pages_of(process, &symbolizer, &decoder));
    }
    return all;
}

const CopiedPages& forked_process(const std::vector<CopiedPages>& processes, int pid) {
    CAPTURE(pid);
    const auto found = std::find_if(
        processes.begin(), processes.end(),
        [&](const CopiedPages& process) { return process.forked && process.pid == pid; });
    REQUIRE(found != processes.end());
    return *found;
}

const CopiedPages& root_process(const std::vector<CopiedPages>& processes) {
    REQUIRE_FALSE(processes.empty());
    REQUIRE_FALSE(processes.front().forked);
    return processes.front();
}

}  // namespace cowscope::e2e
