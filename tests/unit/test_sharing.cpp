// Who shares a page, whatever the order of what happened: held against a model that follows each
// page of each process through time, as the kernel does.
#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "attribute/sharing.h"
#include "tests/catch.h"
#include "tests/unit/growth.h"

using namespace cowscope;
using attribute::kForever;
using attribute::Sharing;
using trace::kPageBytes;
using trace::PageSet;

namespace {

constexpr uint64_t kStart = 0x10000000;

uint64_t address(size_t page) {
    return kStart + page * kPageBytes;
}

// Processes that do what they are told, one thing at a time. Each step takes 10 ns.
class World {
  public:
    explicit World(size_t pages) {
        processes_.push_back({});
        for (size_t page = 0; page < pages; ++page) processes_[0].content[page] = next_++;
    }

    size_t fork(size_t process) {
        step();
        Process& parent = processes_[process];
        // The epoch before is over: its list is the one that the fork shared.
        list(process);
        Process child;
        child.parent = process;
        child.fork_ns = now_;
        child.content = parent.content;
        child.shared = pages_of(child);
        child.shared_ns = now_;
        parent.shared = pages_of(parent);
        parent.shared_ns = now_;
        parent.is_listed = child.is_listed = false;
        processes_.push_back(child);
        return processes_.size() - 1;
    }

    // Returns whether it copied; nothing where there is nothing to write to.
    std::optional<bool> write(size_t process, size_t page) {
        step();
        Process& self = processes_[process];
        const auto at = self.content.find(page);
        if (self.end_ns != kForever || at == self.content.end()) return std::nullopt;
        bool is_shared = false;
        for (size_t i = 0; i < processes_.size(); ++i) {
            const Process& other = processes_[i];
            const auto theirs = other.content.find(page);
            is_shared =
                is_shared || (i != process && other.end_ns == kForever &&
                              theirs != other.content.end() && theirs->second == at->second);
        }
        at->second = next_++;
        writes_.push_back({process, page, now_, is_shared});
        return is_shared;
    }

    // `is_told`: by the process itself; else it shows only in what it has at its next fork.
    void give_up(size_t process, size_t page, bool is_told = true) {
        step();
        Process& self = processes_[process];
        if (self.end_ns != kForever || self.content.erase(page) == 0) return;
        if (is_told) self.discarded.push_back({page, now_});
    }
    void come(size_t process, size_t page) {
        step();
        Process& self = processes_[process];
        if (self.end_ns == kForever) self.content.try_emplace(page, next_++);
    }
    void end(size_t process) {
        step();
        Process& self = processes_[process];
        if (self.end_ns == kForever) {
            list(process);
            self.end_ns = now_;
        }
    }
    bool has_ended(size_t process) const { return processes_[process].end_ns != kForever; }
    size_t count() const { return processes_.size(); }

    // Everything that traces tell of it.
    std::unique_ptr<Sharing> tell(bool with_lists = true) {
        for (size_t i = 0; i < processes_.size(); ++i) list(i);
        auto sharing = std::make_unique<Sharing>();
        for (size_t i = 0; i < processes_.size(); ++i) {
            const Process& each = processes_[i];
            sharing->add_process(each.parent, each.fork_ns, each.end_ns);
            for (const auto& [page, time_ns] : each.discarded) {
                sharing->gave_up(i, {address(page), 1}, time_ns);
            }
            if (!with_lists) continue;
            for (const auto& [pages, shared_ns] : each.lists) {
                sharing->had(i, *pages, shared_ns, shared_ns + 1);
            }
        }
        for (const Write& write : writes_) {
            sharing->wrote(write.process, address(write.page), write.time_ns);
        }
        sharing->settle();
        return sharing;
    }

    // How many writes are told wrongly.
    size_t wrong(const Sharing& sharing) const {
        return static_cast<size_t>(
            std::count_if(writes_.begin(), writes_.end(), [&](const Write& write) {
                return sharing.is_shared(write.process, address(write.page), write.time_ns) !=
                       write.is_shared;
            }));
    }
    size_t writes() const { return writes_.size(); }

  private:
    struct Process {
        std::optional<size_t> parent;
        uint64_t fork_ns = 0;
        uint64_t end_ns = kForever;
        std::map<size_t, uint64_t> content;  // by page
        std::vector<std::pair<size_t, uint64_t>> discarded;
        std::shared_ptr<PageSet> shared;  // at its newest fork
        uint64_t shared_ns = 0;
        bool is_listed = true;
        std::vector<std::pair<std::shared_ptr<PageSet>, uint64_t>> lists;
    };
    struct Write {
        size_t process;
        size_t page;
        uint64_t time_ns;
        bool is_shared;
    };

    void step() { now_ += 10; }
    void list(size_t process) {
        Process& self = processes_[process];
        if (self.is_listed || !self.shared) return;
        self.lists.emplace_back(self.shared, self.shared_ns);
        self.is_listed = true;
    }
    static std::shared_ptr<PageSet> pages_of(const Process& process) {
        auto pages = std::make_shared<PageSet>();
        for (const auto& [page, content] : process.content) pages->append({address(page), 1});
        return pages;
    }

    uint64_t now_ = 100;
    uint64_t next_ = 1;
    std::vector<Process> processes_;
    std::vector<Write> writes_;
};

}  // namespace

TEST_CASE("of parent and child the first to write copies, in every order of events", "[sharing]") {
    // What parent, child and a second child may do to one page: each order of these.
    std::vector<int> order = {0, 1, 2, 3, 4, 5, 6, 7};
    const unsigned what = GENERATE(range(0U, 8U));  // who gives it up in place of writing it
    size_t orders = 0;
    size_t wrong = 0;
    do {
        World world(1);
        const size_t child = world.fork(0);
        std::optional<size_t> second;
        for (const int each : order) {
            const auto write = [&](size_t process, unsigned bit) {
                if ((what >> bit & 1) != 0) {
                    world.give_up(process, 0);
                } else {
                    world.write(process, 0);
                }
            };
            if (each == 0) write(0, 0);
            if (each == 1) write(child, 1);
            if (each == 2) second = world.fork(0);
            if (each == 3 && second) write(*second, 2);
            if (each == 4) world.end(child);
            if (each == 5 && second) world.end(*second);
            if (each == 6) world.write(0, 0);
            if (each == 7 && second) world.write(*second, 0);
        }
        wrong += world.wrong(*world.tell());
        ++orders;
    } while (std::next_permutation(order.begin(), order.end()));
    CHECK(orders == 40320);
    CHECK(wrong == 0);
}

TEST_CASE("random families are told rightly", "[sharing]") {
    constexpr size_t kPages = 6;
    size_t wrong = 0;
    size_t writes = 0;
    for (uint32_t seed = 0; seed < 400; ++seed) {
        std::mt19937 random(seed);
        const auto below = [&](size_t limit) { return static_cast<size_t>(random() % limit); };
        World world(kPages);
        for (int i = 0; i < 300; ++i) {
            const size_t process = below(world.count());
            if (world.has_ended(process)) continue;
            const size_t kind = below(100);
            if (kind < 12) {
                world.fork(process);
            } else if (kind < 20) {
                if (process != 0 || kind == 12) world.end(process);
            } else if (kind < 32) {
                world.give_up(process, below(kPages));
            } else if (kind < 40) {
                world.come(process, below(kPages));
            } else {
                world.write(process, below(kPages));
            }
        }
        writes += world.writes();
        wrong += world.wrong(*world.tell());
    }
    CHECK(writes > 20000);
    // Memory that came anew where the same process had given some up shows only at its next fork.
    CHECK(wrong == 0);
}

TEST_CASE("a worker that was there before a page does not share it", "[sharing]") {
    World world(4);
    world.give_up(0, 3, false);
    const size_t old_worker = world.fork(0);
    world.come(0, 3);
    const size_t new_worker = world.fork(0);
    CHECK(world.write(new_worker, 3) == true);
    CHECK(world.write(0, 3) == false);
    const auto sharing = world.tell();
    CHECK(world.wrong(*sharing) == 0);
    CHECK_FALSE(world.has_ended(old_worker));
}

TEST_CASE("a server that replaces its workers", "[sharing]") {
    constexpr size_t kPages = 64;
    constexpr size_t kWorkers = 8;
    World world(kPages);
    std::vector<size_t> workers;
    for (size_t i = 0; i < kWorkers; ++i) workers.push_back(world.fork(0));
    std::mt19937 random(7);
    for (size_t round = 0; round < 200; ++round) {
        const size_t slot = random() % kWorkers;
        // Some cache comes and goes between two forks, by free() inside libc.
        world.give_up(0, round % kPages, false);
        world.end(workers[slot]);
        world.come(0, (round + kPages - 3) % kPages);
        workers[slot] = world.fork(0);
        for (int i = 0; i < 10; ++i) {
            world.write(workers[random() % kWorkers], random() % kPages);
            world.write(0, random() % kPages);
        }
    }
    CHECK(world.writes() > 3000);
    CHECK(world.wrong(*world.tell()) == 0);
}

TEST_CASE("without lists only what was said counts", "[sharing]") {
    World world(2);
    const size_t child = world.fork(0);
    world.give_up(child, 1);
    CHECK(world.write(0, 0) == true);
    CHECK(world.write(0, 1) == false);
    CHECK(world.write(child, 0) == false);
    CHECK(world.wrong(*world.tell(false)) == 0);
}

TEST_CASE("without lists what a process has given up it shares anew with its next child",
          "[sharing]") {
    constexpr uint64_t kPage = kStart;
    Sharing sharing;
    sharing.add_process(std::nullopt, 1, 1000);
    sharing.add_process(0, 50, 500);   // had what was given up
    sharing.add_process(0, 200, 500);  // has what came
    sharing.add_process(2, 300, 500);
    sharing.gave_up(0, {kPage, 1}, 100);
    sharing.wrote(1, kPage, 250);
    sharing.wrote(2, kPage, 350);
    sharing.wrote(3, kPage, 360);
    sharing.wrote(0, kPage, 400);
    sharing.settle();
    CHECK_FALSE(sharing.is_shared(1, kPage, 250));
    CHECK(sharing.is_shared(2, kPage, 350));
    CHECK(sharing.is_shared(3, kPage, 360));
    CHECK_FALSE(sharing.is_shared(0, kPage, 400));
}

TEST_CASE("what a process gave up before it was listed its children have", "[sharing]") {
    PageSet none;
    Sharing sharing;
    const size_t root = sharing.add_process(std::nullopt, 1, 1000);
    const size_t first = sharing.add_process(root, 200, 900);
    const size_t second = sharing.add_process(root, 300, 600);
    sharing.had(root, none, 100, 110);
    // Came in between, and went again before the next list was made.
    sharing.gave_up(root, {address(0), 1}, 400);
    sharing.had(root, none, 300, 500);
    sharing.wrote(second, address(0), 450);
    sharing.wrote(first, address(0), 700);
    sharing.settle();
    CHECK(sharing.is_shared(second, address(0), 450));
    CHECK_FALSE(sharing.is_shared(first, address(0), 700));
}

TEST_CASE("a page that came unseen before the first list is shared from then on", "[sharing]") {
    PageSet none;
    PageSet one;
    one.append({address(0), 1});
    Sharing sharing;
    const size_t root = sharing.add_process(std::nullopt, 0, kForever);
    const size_t child = sharing.add_process(root, 100, 1000);
    const size_t grandchild = sharing.add_process(child, 200, 900);
    sharing.had(root, none, 100, 950);
    sharing.had(child, one, 200, 940);
    sharing.had(grandchild, one, 200, 890);
    sharing.wrote(grandchild, address(0), 300);
    sharing.wrote(child, address(0), 400);
    sharing.settle();
    CHECK(sharing.is_shared(grandchild, address(0), 300));
    CHECK_FALSE(sharing.is_shared(child, address(0), 400));
}

TEST_CASE("who shares is found in proportion to processes and writes", "[sharing]") {
    // Each of many children writes every page, the parent first; and each gives up a range.
    const auto seconds = [](size_t children, size_t pages) {
        Sharing sharing;
        sharing.add_process(std::nullopt, 0, kForever);
        uint64_t now = 1000;
        for (size_t page = 0; page < pages; ++page) sharing.wrote(0, address(page), 1000000 + page);
        for (size_t child = 1; child <= children; ++child) {
            sharing.add_process(0, ++now, kForever - child);
            for (size_t page = 0; page < pages; ++page) {
                if (page % 2 == 0) {
                    sharing.wrote(child, address(page), 2000000 + child * pages + page);
                }
            }
            sharing.gave_up(child, {address(0), pages}, 9000000);
        }
        const double taken = cpu_seconds_of([&] { sharing.settle(); });
        CHECK(sharing.is_shared(0, address(0), 1000000));
        CHECK(sharing.is_shared(1, address(0), 2000000 + pages));
        return taken;
    };
    const double few = seconds(200, 400);
    CHECK(seconds(200 * kGrowth, 400) < kInProportion * few);
    CHECK(seconds(200, 400 * kGrowth) < kInProportion * few);
}
