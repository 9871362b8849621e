// The processes of a trace as Sharing wants them: what each inherited, wrote and gave up, and when
// it began and ended.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "attribute/sharing.h"
#include "trace/trace.h"

namespace cowscope::attribute {

// Pages of Epoch::unseen that are looked into, one by one. The kernel does not write more for
// a process without being noticed; a damaged trace may name any number.
inline constexpr uint64_t kMostUnseenPages = uint64_t{1} << 16;

class Family {
  public:
    // Reads the events of every process. What the witness did not see counts as not written.
    // `trace` must outlive this.
    explicit Family(const trace::Trace& trace);

    const Sharing& sharing() const { return sharing_; }

    // Whether a census of its parent says that the parent copied the page while both were there.
    // Which of them did it first is not known then; but where nobody saw the process itself write,
    // it was the parent.
    bool parent_copied(size_t process, uint64_t page, uint64_t until_ns) const;

    // The pages that the parent and the children of a process wrote, each once, ascending. Nothing
    // where some of their events stand for more than themselves.
    std::optional<std::vector<uint64_t>> written_by_kin(size_t process) const;

  private:
    const trace::Trace& trace_;
    Sharing sharing_;
    std::vector<bool> is_sampled_;
    std::vector<std::optional<size_t>> parents_;
};

}  // namespace cowscope::attribute
