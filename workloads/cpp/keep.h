#pragma once

namespace cowscope::workload {

// The compiler must assume that `object` and all memory are looked at here. Without this it may
// drop a copy that is made and destroyed in one breath together with the two writes of its count.
template <class T>
inline void keep(const T& object) {
    asm volatile("" : : "r"(&object) : "memory");
}

}  // namespace cowscope::workload
