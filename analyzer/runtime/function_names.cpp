#include "runtime/function_names.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

namespace cowscope::runtime {
namespace {

// Parts of lower-case names. Each says "reference count" wherever it stands.
constexpr std::array kParts = {
    "incref",                                  // Py_INCREF, incRefCount (Redis)
    "decref",                                  // Py_DECREF, decRefCount
    "newref",                                  // Py_NewRef
    "inc_ref",        "dec_ref",   "add_ref",  // add_ref, _M_add_ref_copy, ...
    "addref",                                  // AddRef, zend_gc_addref
    "delref",                                  // zend_gc_delref
    "refcount",       "ref_count",
    "refcnt",          // SvREFCNT_inc (Perl)
    "intrusive_ptr_",  // Boost's add_ref and release hooks
    "unref",           // g_object_unref and its kin
};

// Whole lower-case names that mean it only as a whole.
constexpr std::array kNames = {
    "ref",
    "retain",
    "release",
    // libstdc++: bits/shared_ptr_base.h, ext/atomicity.h, bits/cow_string.h
    "_m_release",
    "_m_weak_release",
    "_m_release_last_use",
    "__exchange_and_add",
    "__exchange_and_add_single",
    "__exchange_and_add_dispatch",
    "__atomic_add",
    "__atomic_add_single",
    "__atomic_add_dispatch",
    "_m_grab",
    "_m_refcopy",
    "_m_dispose",
    // libc++: src/memory.cpp
    "__add_shared",
    "__release_shared",
    "__add_weak",
    "__release_weak",
};

}  // namespace

std::string_view base_name(std::string_view function) {
    // Cut at the parameter list, then take what follows the last "::" outside template arguments.
    int depth = 0;
    size_t start = 0;
    size_t end = function.size();
    for (size_t i = 0; i < function.size(); ++i) {
        const char c = function[i];
        if (c == '<' || c == '[') {
            if (depth == 0) end = std::min(end, i);
            ++depth;
        } else if (c == '>' || c == ']') {
            depth = std::max(0, depth - 1);
        } else if (depth == 0 && c == '(') {
            // "(anonymous namespace)::" is no parameter list.
            if (function.substr(i).starts_with("(anonymous namespace)")) {
                i += std::string_view("(anonymous namespace)").size() - 1;
                continue;
            }
            end = std::min(end, i);
            break;
        } else if (depth == 0 && c == ':' && i + 1 < function.size() && function[i + 1] == ':') {
            start = i + 2;
            end = function.size();
            ++i;
        } else if (depth == 0 && c == ' ') {
            start = i + 1;
            end = function.size();
        }
    }
    return end > start ? function.substr(start, end - start) : function;
}

bool begins_with_one_of(std::string_view module, std::span<const std::string_view> beginnings) {
    return std::ranges::any_of(
        beginnings, [&](std::string_view beginning) { return module.starts_with(beginning); });
}

bool is_one_of(std::string_view function, std::span<const std::string_view> names) {
    std::string_view name = base_name(function);
    name = name.substr(0, name.find('.'));
    return std::ranges::find(names, name) != names.end();
}

bool names_any_reference_count(std::string_view function) {
    std::string name(base_name(function));
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const auto has_part = [&](const char* part) { return name.find(part) != std::string::npos; };
    return std::any_of(kParts.begin(), kParts.end(), has_part) ||
           std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

}  // namespace cowscope::runtime
