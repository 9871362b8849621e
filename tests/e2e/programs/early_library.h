#pragma once

#include <cstddef>

inline constexpr size_t kHandlerPages = 1000;
// Written in every child by a pthread_atfork handler.
extern unsigned char* handler_pages;
extern bool handler_writes;
