#include "epoch/aggregate.h"
#include "epoch/classify.h"
#include "epoch/epoch.h"
#include "epoch/page_of_fault.h"
#include "epoch/record_event.h"
#include "epoch/sample.h"
#include "session/session.h"
#include "support/threads.h"
#include "witness/sink.h"

#include "support/poison.h"

namespace cowscope::epoch {
namespace {

void record_fault(void* argument) {
    Fault& fault = *static_cast<Fault*>(argument);
    const bool is_event = record_copy(*sharing.epoch, fault);
    count_fault(is_event, fault);
}

// Signals that were held back have lost their place: only that there was a copy can be said. Before
// the inherited pages are known, the parent of a forked child knows.
bool is_lost_copy(const Epoch& epoch, uint64_t address) {
    if (epoch.state.is_listed()) return epoch.inherited.contains(address);
    return epoch.state.is_classifying() && !is_unshared(epoch, address) &&
           !epoch.renewed.has(address) && is_private(address) && sharing.forks == 0 &&
           sharing.look.parent().has(address);
}

void record_late_fault(void* argument) {
    const Fault& fault = *static_cast<const Fault*>(argument);
    Epoch& epoch = *sharing.epoch;
    if (is_lost_copy(epoch, fault.address)) {
        const Mapping* mapping = recall_mapping(epoch, fault.address);
        const bool is_hugetlb = mapping != nullptr && mapping->is_hugetlb;
        const uint64_t copies = uint64_t{fault.weight} * (is_hugetlb ? kHugePages : 1);
        if (session::self.is_counting) {
            count_late_copies(copies);
        } else {
            session::self.writer.count_loss(&trace::LossRecord::blocked_events, copies);
        }
    }
    // There may have been more than this signal tells, and there may be again.
    epoch.has_unseen_faults = true;
    stop_classifying();
}

// A signal that says nothing needs no look at anything.
bool is_restart(const kernel::PerfSiginfo& signal) {
    session::self.lock.lock();
    const bool takes = sharing.trap.takes(signal);
    session::self.lock.unlock();
    return !takes;
}

// Events pass to threads, not to processes: it is of this one. A thread that is alone has the
// process's number, but for those that libc has not made; gaps are set by thread.
pid_t faulting_thread(uint32_t weight) {
    return is_only_thread() && weight == 1 ? session::self.pid : sys::gettid();
}

unsigned char* handler_stack_top(Epoch& epoch) {
    return epoch.handler_stack + sizeof(epoch.handler_stack);
}

}  // namespace
}  // namespace cowscope::epoch

namespace cowscope::witness {

using namespace cowscope::epoch;

// Whoever holds the lock has all signals blocked. But where the holder itself runs into memory
// that is not there, the kernel opens SIGSEGV, and first takes what else is pending of the
// signals of faults, blocked or not (kernel/signal.c, dequeue_synchronous_signal()). The
// process is about to end.
bool is_sink_free() {
    return !session::self.lock.is_held_here();
}

void take_fault(const kernel::PerfSiginfo& signal, Fault* fault) {
    if (fault->weight > 1 && is_restart(signal)) return;
    const pid_t tid = fault->tid = faulting_thread(fault->weight);
    session::self.lock.lock();
    sharing.trap.count_told(signal);
    Epoch* const epoch = sharing.epoch;
    if (epoch != nullptr && session::is_watching()) {
        ++epoch->faults_told;
        const uint64_t ip = fault->registers.ip;
        const uint64_t sp = fault->registers.sp;
        const bool is_late = (signal.perf_flags & kernel::kTrapPerfFlagAsync) != 0;
        const bool is_own = is_late && epoch->last_events.is_last(tid, ip, sp);
        // A late one leaves another behind it just as well.
        epoch->last_events.note(tid, ip, sp);
        if (!is_late) {
            cowscope_call_on_stack(record_fault, fault, handler_stack_top(*epoch));
        } else if (!is_own && !is_unshared(*epoch, fault->address)) {
            cowscope_call_on_stack(record_late_fault, fault, handler_stack_top(*epoch));
        }
    }
    session::self.lock.unlock();
}

void count_late(const kernel::PerfSiginfo& signal) {
    Epoch* const epoch = sharing.epoch;
    if (epoch == nullptr || !session::is_watching()) return;
    if (!sharing.trap.takes(signal)) return;
    sharing.trap.count_told(signal);
    Fault fault = {
        signal.address, event_of(signal), weight_of(signal), sys::gettid(), {}, nullptr, {}};
    cowscope_call_on_stack(record_late_fault, &fault, handler_stack_top(*epoch));
}

}  // namespace cowscope::witness
