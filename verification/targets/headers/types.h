// Encodes a C++ type as one number. `types.rs` encodes a Rust type in the same way.
//
// | bits | |
// |---|---|
// | 0–15 | its size; for a struct or union, its number in `records` of `check.py`, or 0 |
// | 16–19 | its kind |
// | 20–39 | the same bits of the type it points to, or of the array's elements |
// | 40 | it points to `const` |

namespace header_check {

typedef unsigned long long code_t;

enum { NOTHING, UNSIGNED, SIGNED, POINTER, ARRAY, RECORD, FUNCTION, FLOAT };

template <class T> struct known { static const code_t value = 0; };

template <class T> struct bare { typedef T type; static const code_t constant = 0; };
template <class T> struct bare<const T> { typedef T type; static const code_t constant = 1; };
template <class T> struct bare<volatile T> { typedef T type; static const code_t constant = 0; };
template <class T> struct bare<const volatile T> { typedef T type; static const code_t constant = 1; };

template <int kind, class T> struct scalar { static const code_t code = (code_t)kind << 16 | sizeof(T); };

template <class T, bool record = __is_class(T) || __is_union(T), bool enumeration = __is_enum(T)>
struct plain : scalar<__is_floating_point(T) ? FLOAT : (T)-1 < (T)0 ? SIGNED : UNSIGNED, T> {};
template <class T> struct plain<T, true, false> { static const code_t code = (code_t)RECORD << 16 | known<T>::value; };
template <class T> struct plain<T, false, true> : plain<__underlying_type(T)> {};

template <class T, bool function = __is_function(T)> struct no_pointer : plain<T> {};
template <class T> struct no_pointer<T, true> { static const code_t code = (code_t)FUNCTION << 16; };
template <> struct no_pointer<void, false> { static const code_t code = (code_t)NOTHING << 16; };

template <class T> struct unqualified : no_pointer<T> {};
template <class T> struct unqualified<T *>;
template <class T, decltype(sizeof 0) n> struct unqualified<T[n]>;

template <class T> struct type : unqualified<typename bare<T>::type> {};

template <class T> struct unqualified<T *> {
    static const code_t code =
        scalar<POINTER, T *>::code | (type<T>::code & 0xfffff) << 20 | bare<T>::constant << 40;
};
template <class T, decltype(sizeof 0) n> struct unqualified<T[n]> {
    static const code_t code = scalar<ARRAY, T[n]>::code | (type<T>::code & 0xfffff) << 20;
};

// The type of the parameter with a number.
template <int n, class... A> struct at { static const code_t code = 0; };
template <class First, class... A> struct at<0, First, A...> : type<First> {};
template <int n, class First, class... A> struct at<n, First, A...> : at<n - 1, A...> {};

template <int callee_pops_, int variadic_, class R, class... A> struct signature {
    static const code_t parameters = sizeof...(A), variadic = variadic_, callee_pops = callee_pops_;
    static const code_t result = type<R>::code;
    template <int n> struct parameter : at<n, A...> {};
};
template <class F> struct function;
template <class R, class... A> struct function<R (*)(A...)> : signature<0, 0, R, A...> {};
template <class R, class... A> struct function<R (*)(A..., ...)> : signature<0, 1, R, A...> {};
#if defined(_WIN32) && defined(__i386__)
template <class R, class... A> struct function<R(__stdcall *)(A...)> : signature<1, 0, R, A...> {};
#endif

} // namespace header_check

// Writes a fact into the assembly as the operand of an `asm` statement without an instruction. It writes two halves,
// because every processor accepts a 32-bit operand.
#define FACT(number, value) \
    void header_check_##number() { \
        __asm__ volatile("\n.ascii \"@@@ " #number " %c0 %c1@\"" \
                         ::"i"((int)((unsigned long long)(value) & 0xffffffff)), \
                         "i"((int)((unsigned long long)(value) >> 32))); \
    }
// Writes a reference to the function, by the name that the linker sees.
#define SYMBOL(number, function) \
    extern "C" void *header_check_symbol_##number; \
    void *header_check_symbol_##number = (void *)&function;
#define OFFSET(record, field) __builtin_offsetof(record, field)
#define SIZE(record, field) sizeof(((record *)0)->field)
#define TYPE(record, field) header_check::type<decltype(((record *)0)->field)>::code
