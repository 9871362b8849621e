#include "symbolize/demangle.h"

#include <cxxabi.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "base/printable.h"

namespace cowscope::symbolize {

namespace {

DemangleGuard* guard = nullptr;

// Longer ones are of use to nobody.
constexpr size_t kMostFullBytes = size_t{64} << 10;
constexpr size_t kMostShownBytes = 4096;

class Guarded {
  public:
    explicit Guarded(std::string_view symbol)
        : may_begin_(guard == nullptr || guard->begin(symbol)) {}
    ~Guarded() {
        if (guard != nullptr && may_begin_) guard->end();
    }
    Guarded(const Guarded&) = delete;
    Guarded& operator=(const Guarded&) = delete;
    [[nodiscard]] bool may_begin() const { return may_begin_; }

  private:
    bool may_begin_;
};

}  // namespace

void guard_demangling(DemangleGuard* new_guard) {
    guard = new_guard;
}

std::string demangle(const std::string& symbol) {
    if (!symbol.starts_with("_Z")) return symbol;
    const Guarded guarded(symbol);
    if (!guarded.may_begin()) return symbol;
    int status = 0;
    const std::unique_ptr<char, decltype(&std::free)> text(
        abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, &status), &std::free);
    if (text == nullptr) return symbol;
    const std::string_view full = text.get();
    if (full.size() <= kMostShownBytes) return std::string(full);
    return full.size() > kMostFullBytes ? symbol : shortened(short_name(full), kMostShownBytes);
}

namespace {

bool is_identifier(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// Length of an operator's own spelling at the start of `rest`, such as "operator()" or
// "operator<<", whose signs are no brackets; 0 where `rest` starts with none.
size_t operator_length(std::string_view rest) {
    constexpr std::string_view kWord = "operator";
    if (!rest.starts_with(kWord)) return 0;
    const std::string_view signs = rest.substr(kWord.size());
    for (const std::string_view spelled :
         {"()", "[]", "<<=", ">>=", "<=>", "->*", "<<", ">>", "<=", ">=", "->", "<", ">"}) {
        if (signs.starts_with(spelled)) return kWord.size() + spelled.size();
    }
    return 0;
}

// "operator bool" and "operator new": the blank belongs to the name.
bool ends_in_operator(std::string_view name) {
    constexpr std::string_view kWord = "operator";
    if (!name.ends_with(kWord)) return false;
    const size_t before = name.size() - kWord.size();
    return before == 0 || !is_identifier(name[before - 1]);
}

// Length of what Python calls code without a name of its own at the start of `rest`: "<module>",
// "<lambda>", "<locals>", which ends a name or a part of one; 0 where it starts with none. C++'s
// "<lambda>" is always followed by "::".
size_t python_scope_length(std::string_view rest) {
    if (!rest.starts_with('<')) return 0;
    size_t end = 1;
    while (end < rest.size() && is_identifier(rest[end])) ++end;
    if (end == 1 || end == rest.size() || rest[end] != '>') return 0;
    ++end;
    return end == rest.size() || rest[end] == '.' ? end : 0;
}

constexpr std::string_view kAnonymous = "(anonymous namespace)";

// How a scope without a name of its own is spelled at the start of `rest` ("<lambda(int)>" in debug
// information), and how it is shown.
struct Nameless {
    size_t length = 0;
    std::string_view shown;
};

Nameless nameless_scope(std::string_view rest) {
    constexpr std::string_view kClass = "(anonymous)";
    if (rest.starts_with(kAnonymous)) return {kAnonymous.size(), kAnonymous};
    if (rest.starts_with(kClass)) return {kClass.size(), kClass};
    if (!rest.starts_with("<lambda")) return {};
    int depth = 0;
    for (size_t i = 0; i < rest.size(); ++i) {
        if (rest[i] == '<') ++depth;
        const bool is_arrow = rest[i] == '>' && rest[i - 1] == '-';
        if (rest[i] == '>' && !is_arrow && --depth == 0) return {i + 1, "{lambda}"};
    }
    return {};
}

// `text` without what stands in brackets, except the names that are written with them.
std::string without_brackets(std::string_view text) {
    std::string kept;
    int depth = 0;
    for (size_t i = 0; i < text.size();) {
        const bool starts_word = i == 0 || !is_identifier(text[i - 1]);
        if (const size_t length = starts_word ? operator_length(text.substr(i)) : 0; length > 0) {
            if (depth == 0) kept += text.substr(i, length);
            i += length;
            continue;
        }
        const size_t python_length =
            i == 0 || text[i - 1] == '.' ? python_scope_length(text.substr(i)) : 0;
        if (python_length > 0) {
            if (depth == 0) kept += text.substr(i, python_length);
            i += python_length;
            continue;
        }
        const bool is_argument = i != 0 && text[i] == '<' && text[i - 1] != ':';
        const Nameless scope = is_argument ? Nameless{} : nameless_scope(text.substr(i));
        if (scope.length > 0) {
            if (depth == 0) kept += scope.shown;
            i += scope.length;
            continue;
        }
        const char c = text[i++];
        const bool is_arrow = c == '>' && i >= 2 && text[i - 2] == '-';
        if (c == '<' || c == '(' || c == '[') {
            ++depth;
        } else if ((c == '>' && !is_arrow) || c == ')' || c == ']') {
            --depth;
        } else if (depth == 0) {
            kept += c;
        }
    }
    return kept;
}

}  // namespace

std::string short_name(std::string_view function) {
    // What comes behind is of use to nobody, and a name of brackets takes the square of its length.
    function = function.substr(0, kMostFullBytes);
    std::string name = without_brackets(function);
    // What is left may be "void ns::f", "ns::C::f const" or "ns::f [clone ...]" cut to "ns::f ".
    for (const std::string_view qualifier : {" const", " volatile", " &&", " &"}) {
        while (name.ends_with(' ')) name.pop_back();
        if (name.ends_with(qualifier)) name.resize(name.size() - qualifier.size());
    }
    while (name.ends_with(' ')) name.pop_back();
    size_t start = 0;
    for (size_t i = 0; i < name.size(); ++i) {
        if (name.compare(i, kAnonymous.size(), kAnonymous) == 0) {
            i += kAnonymous.size() - 1;
        } else if (name[i] == '{') {
            // "{unnamed type#1}"
            i = std::min(name.find('}', i), name.size());
        } else if (name[i] == ' ') {
            if (ends_in_operator(std::string_view(name).substr(0, i))) break;
            start = i + 1;
        }
    }
    return name.substr(start);
}

}  // namespace cowscope::symbolize
