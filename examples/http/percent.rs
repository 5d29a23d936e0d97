//! Text in a path: bytes that a path can't hold are written as `%` and two hexadecimal digits.

use std::fmt::Write;

/// `text` as a part of a path. A slash stays a slash.
pub fn encode(text: &str) -> String {
    let mut path = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            path.push(char::from(byte));
        } else {
            write!(path, "%{byte:02X}").expect("a string takes everything");
        }
    }
    path
}

/// The text of a part of a path. `None`: a `%` without its two digits.
pub fn decode(path: &str) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        text.push(match byte {
            b'%' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            _ => byte,
        });
    }
    Some(text)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}
