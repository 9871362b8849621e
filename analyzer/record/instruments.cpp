#include "record/instruments.h"

namespace cowscope::record {

#define COWSCOPE_ADDRESS(instrument) &instrument,

Instruments trackers() {
    static constexpr const Instrument* kAll[] = {COWSCOPE_TRACKERS(COWSCOPE_ADDRESS)};
    return kAll;
}

Instruments witnesses() {
    static constexpr const Instrument* kAll[] = {COWSCOPE_WITNESSES(COWSCOPE_ADDRESS)};
    return kAll;
}

#undef COWSCOPE_ADDRESS

}  // namespace cowscope::record
