#include "attribute/advice.h"

namespace cowscope::attribute {

std::vector<Advice> find_advice(const AdviceInput& input, runtime::Members members) {
    if (input.copied_pages == 0) return {};
    runtime::Advisor advisor(input);
    for (const runtime::Runtime* member : members) member->advise(input, &advisor);
    advisor.add("bind-now", "", advisor.pages_of({runtime::Cause::lazy_binding}),
                "Start the program with LD_BIND_NOW=1 (or link with -z now): functions are then "
                "bound before the fork.");
    advisor.add("buffers", "", advisor.pages_of({runtime::Cause::kernel}),
                "Allocate buffers that are read into after the fork: the kernel's writes into "
                "those from before it copied these pages.");
    return advisor.take();
}

}  // namespace cowscope::attribute
