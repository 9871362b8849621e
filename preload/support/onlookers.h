// Who else takes this program's signals: a debugger stops at each of them, and valgrind, which runs
// the program on a processor of its own making, dies of one that it did not ask for. Beside either
// the witness stays off.
#pragma once

namespace cowscope {

// Whether another process traces this thread (ptrace(2)).
bool is_traced();

bool is_under_valgrind();

}  // namespace cowscope
