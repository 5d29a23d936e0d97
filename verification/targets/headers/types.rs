//! Encodes a Rust type as one number, in the same way as `types.h`, and compares a fact with the headers.

use core::ffi::c_void;

const NOTHING: i128 = 0;
const UNSIGNED: i128 = 1;
const SIGNED: i128 = 2;
const POINTER: i128 = 3;
const ARRAY: i128 = 4;
const RECORD: i128 = 5;
const FUNCTION: i128 = 6;
/// Used by Rust only: the target type of a `*mut c_void`.
const ANYTHING: i128 = 8;

/// Stands for `None` in place of the number of a constant.
pub const NONE: i128 = 1 << 100;

pub trait Type {
    const CODE: i128;
}

const fn scalar<T>(kind: i128) -> i128 {
    kind << 16 | core::mem::size_of::<T>() as i128
}

pub const fn record(number: i128) -> i128 {
    RECORD << 16 | number
}

const fn target(code: i128) -> i128 {
    (code & 0xfffff) << 20
}

macro_rules! integers {
    ($($kind:ident: $($name:ident)*;)*) => {
        $($(impl Type for $name {
            const CODE: i128 = scalar::<$name>($kind);
        })*)*
    };
}
integers! {
    UNSIGNED: u8 u16 u32 u64 usize;
    SIGNED: i8 i16 i32 i64 isize;
}
impl Type for () {
    const CODE: i128 = NOTHING << 16;
}
impl Type for c_void {
    const CODE: i128 = ANYTHING << 16;
}
impl<T: Type> Type for *mut T {
    const CODE: i128 = scalar::<*mut T>(POINTER) | target(T::CODE);
}
impl<T: Type> Type for *const T {
    const CODE: i128 = scalar::<*const T>(POINTER) | target(T::CODE) | 1 << 40;
}
impl<T: Type, const N: usize> Type for [T; N] {
    const CODE: i128 = scalar::<[T; N]>(ARRAY) | target(T::CODE);
}

/// Returns the code from the headers if our type is compatible with it, otherwise our code.
pub const fn like(ours: i128, theirs: i128) -> i128 {
    const TARGET: i128 = 0xfffff << 20;
    let kind = ours >> 16 & 0xf;
    let (target, their_target) = (ours & TARGET, theirs & TARGET);
    let same = if kind == POINTER {
        // `void *` is compatible with every pointer, on both sides. `const` is a separate fact.
        const REST: i128 = 0xfffff;
        ours & REST == theirs & REST
            && (target == their_target || target == ANYTHING << 36 || their_target == NOTHING << 36)
    } else if kind == ARRAY && target == <u8 as Type>::CODE << 20 {
        // An array of bytes is compatible with every type. The size is a separate fact.
        true
    } else {
        ours == theirs
    };
    if same {
        theirs
    } else {
        ours
    }
}

/// The value of a constant of any type.
pub const fn value<T: Type + Copy>(constant: T) -> i128 {
    let bytes: *const T = &constant;
    // SAFETY: `bytes` points to `constant`, which is an integer or a pointer made of one: every byte is initialized,
    // and an integer of the same size has the same alignment.
    let value = unsafe {
        match core::mem::size_of::<T>() {
            1 => *bytes.cast::<u8>() as i128,
            2 => *bytes.cast::<u16>() as i128,
            4 => *bytes.cast::<u32>() as i128,
            8 => *bytes.cast::<u64>() as i128,
            _ => panic!("no number"),
        }
    };
    wrapped(constant, value)
}

/// Converts the value from the headers to the type of our constant, because the signedness of a C constant can differ.
/// If the value does not fit, returns it unchanged.
pub const fn wrapped<T: Type + Copy>(_: T, value: i128) -> i128 {
    let bits = core::mem::size_of::<T>() * 8;
    if value < -(1 << (bits - 1)) || value >= 1 << bits {
        return value;
    }
    let value = value & ((1 << bits) - 1);
    if T::CODE >> 16 & 0xf == SIGNED && value >> (bits - 1) == 1 {
        value - (1 << bits)
    } else {
        value
    }
}

pub const fn field_size<S, T>(_: fn(*const S) -> *const T) -> i128 {
    core::mem::size_of::<T>() as i128
}

pub const fn field_code<S, T: Type>(_: fn(*const S) -> *const T) -> i128 {
    T::CODE
}

/// The codes of a function's types: first the result, then the parameters.
pub trait Function: Copy {
    const CODES: &'static [i128];
}
macro_rules! functions {
    ($($name:ident)*) => {
        functions!(@ "C" ($($name: $name),*) $($name)*);
        functions!(@ "system" ($($name: $name),*) $($name)*);
        functions!(@ "C" ($($name: $name,)* ...) $($name)*);
        functions!(- $($name)*);
    };
    (-) => {};
    (- $first:ident $($name:ident)*) => { functions!($($name)*); };
    (@ $abi:literal ($($parameters:tt)*) $($name:ident)*) => {
        // A pointer to a function, as a type of C. The types of that function are not compared.
        impl<R $(, $name)*> Type for Option<unsafe extern $abi fn($($parameters)*) -> R> {
            const CODE: i128 = scalar::<Self>(POINTER) | target(FUNCTION << 16);
        }
        impl<R: Type $(, $name: Type)*> Function for unsafe extern $abi fn($($parameters)*) -> R {
            const CODES: &'static [i128] = &[R::CODE $(, $name::CODE)*];
        }
    };
}
functions!(A B C D E F G H I J K L);

pub const fn code<F: Function>(_: F, part: usize) -> i128 {
    F::CODES[part]
}

/// A number in decimal, for the message that `facts.py` parses.
pub const fn text(value: i128) -> [u8; 48] {
    let mut text = [b' '; 48];
    let mut rest = value.unsigned_abs();
    let mut at = text.len();
    loop {
        at -= 1;
        text[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        text[at - 1] = b'-';
    }
    text
}

#[macro_export]
macro_rules! fact {
    ($ours:expr, $theirs:expr) => {
        const _: () = {
            const OURS: i128 = $ours;
            const TEXT: &[u8; 48] = &$crate::header_check::text(OURS);
            if OURS != $theirs {
                match core::str::from_utf8(TEXT) {
                    Ok(text) => panic!("{}", text),
                    Err(_) => panic!(),
                }
            }
        };
    };
}
