// How the shim comes to life.
#pragma once

namespace cowscope::hooks {

// Where filters were in force before the program began, nothing is done before the program itself
// makes a child. It is about to.
void come_to_life();

}  // namespace cowscope::hooks
