#pragma once

// Calls function(argument) on the stack that ends at `stack_top`, and returns on the caller's.
extern "C" void cowscope_call_on_stack(void (*function)(void*), void* argument, void* stack_top)
    __attribute__((visibility("hidden")));
