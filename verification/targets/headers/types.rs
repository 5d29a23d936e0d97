//! What Rust knows of a type, as one number, which is put together as that of `types.h` is; and how a fact is held to
//! what the headers say.

use core::ffi::c_void;

const NOTHING: i128 = 0;
const UNSIGNED: i128 = 1;
const SIGNED: i128 = 2;
const POINTER: i128 = 3;
const ARRAY: i128 = 4;
const RECORD: i128 = 5;
/// Rust's alone: what a `*mut c_void` points to.
const ANYTHING: i128 = 8;

/// An `Option` without a number.
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

/// The headers' code if ours is as good, else ours.
pub const fn like(ours: i128, theirs: i128) -> i128 {
    const TARGET: i128 = 0xfffff << 20;
    let kind = ours >> 16 & 0xf;
    let (target, their_target) = (ours & TARGET, theirs & TARGET);
    let same = if kind == POINTER {
        // Who points to anything does not say to what; neither does who points to nothing, in C.
        // Whether it may be written is a fact of its own.
        const REST: i128 = 0xfffff;
        ours & REST == theirs & REST
            && (target == their_target || target == ANYTHING << 36 || their_target == NOTHING << 36)
    } else if kind == ARRAY && target == <u8 as Type>::CODE << 20 {
        // Bytes stand for whatever is as large, which is a fact of its own.
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

/// A constant, whatever its type.
pub const fn value<T: Type + Copy>(constant: T) -> i128 {
    let bytes: *const T = &constant;
    // SAFETY: numbers, and pointers that are made of numbers, are that many bytes, and aligned as such.
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

/// What the headers say, in the type of our constant: C does not always care for the sign. What does not fit stays.
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

/// The types of a function: of what it returns, then of its parameters.
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
        impl<R: Type $(, $name: Type)*> Function for unsafe extern $abi fn($($parameters)*) -> R {
            const CODES: &'static [i128] = &[R::CODE $(, $name::CODE)*];
        }
    };
}
functions!(A B C D E F G H I J K L);

pub const fn code<F: Function>(_: F, part: usize) -> i128 {
    F::CODES[part]
}

/// A number for the eye, and for `check.py`.
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
