#include "attribute/process_end.h"

namespace cowscope::attribute {

void set_end(const trace::ProcessTrace& process, bool is_first, const Recording& recording,
             ProcessSummary* summary) {
    summary->exit_kind = "unknown";
    if (process.end) {
        summary->exit_value = process.end->value;
        switch (process.end->kind) {
            case trace::EndKind::exit:
                summary->exit_kind = "exit";
                break;
            case trace::EndKind::signal:
                summary->exit_kind = "signal";
                break;
            case trace::EndKind::exec:
                summary->exit_kind = "exec";
                break;
            case trace::EndKind::bound:
                break;
        }
    } else if (process.outside && process.outside->knows_end()) {
        const trace::FateRecord& fate = *process.outside->fate;
        summary->exit_kind = fate.kind == trace::EndKind::exit ? "exit" : "signal";
        summary->exit_value = fate.value;
    } else if (is_first && recording.exit) {
        summary->exit_kind = recording.exit->kind;
        summary->exit_value = recording.exit->value;
    } else if (process.bound_ns) {
        summary->exit_kind = "bound";
    }
}

}  // namespace cowscope::attribute
