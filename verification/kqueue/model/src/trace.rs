//! The trace of calls that the word `trace` selects. Each call of `kevent` is written to standard error when it
//! returns: a line for the call, then a line for each change and each event.

use std::io::{self, Write};
use std::os::raw::c_int;
use std::time::Duration;

use crate::call::Errno;
use crate::ffi::{self, kevent};

/// What a call of `kevent` got from the program.
pub struct Call {
    pub kq: c_int,
    /// A copy, because the events may overwrite the changes.
    pub changes: Vec<kevent>,
    pub slots: usize,
    /// `None`: without a limit.
    pub timeout: Option<Duration>,
}

impl Call {
    /// Writes the call and its result.
    pub fn write(&self, result: &Result<(), Errno>, events: &[kevent]) {
        let result = match result {
            Ok(()) => events.len().to_string(),
            Err(Errno(number)) => format!("-1 {}", errno_name(*number as isize)),
        };
        let timeout = match self.timeout {
            None => "no timeout".to_owned(),
            Some(Duration::ZERO) => "timeout 0".to_owned(),
            Some(timeout) => format!("timeout {} ns", timeout.as_nanos()),
        };
        let counted = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        let arguments =
            format!("{}, {}, {timeout}", counted(self.changes.len(), "change"), counted(self.slots, "slot"));
        let mut text = format!("kevent({}, {arguments}) = {result}\n", self.kq);
        for (kind, list) in [("change", &*self.changes), ("event", events)] {
            list.iter().for_each(|entry| text += &format!("  {kind} {}\n", describe(entry)));
        }
        write(&text);
    }
}

/// Writes a call of `kqueue`.
pub fn write_kqueue(kq: c_int) {
    write(&format!("kqueue() = {kq}\n"));
}

fn write(text: &str) {
    // The trace is for a reader; a program without a standard error runs without it.
    let _not_written = io::stderr().write_all(text.as_bytes());
}

/// Returns the fields of a change or an event. A field that is zero is left out, except the error of a receipt.
fn describe(entry: &kevent) -> String {
    let kevent { ident, filter, flags, fflags, data, udata } = *entry;
    let filter = match filter {
        ffi::EVFILT_READ => "EVFILT_READ",
        ffi::EVFILT_WRITE => "EVFILT_WRITE",
        ffi::EVFILT_AIO => "EVFILT_AIO",
        ffi::EVFILT_PROC => "EVFILT_PROC",
        ffi::EVFILT_SIGNAL => "EVFILT_SIGNAL",
        ffi::EVFILT_TIMER => "EVFILT_TIMER",
        ffi::EVFILT_USER => "EVFILT_USER",
        _ => "unknown",
    };
    let names = [
        (ffi::EV_ADD, "EV_ADD"),
        (ffi::EV_DELETE, "EV_DELETE"),
        (ffi::EV_ENABLE, "EV_ENABLE"),
        (ffi::EV_DISABLE, "EV_DISABLE"),
        (ffi::EV_ONESHOT, "EV_ONESHOT"),
        (ffi::EV_CLEAR, "EV_CLEAR"),
        (ffi::EV_DISPATCH, "EV_DISPATCH"),
        (ffi::EV_RECEIPT, "EV_RECEIPT"),
        (ffi::EV_ERROR, "EV_ERROR"),
        (ffi::EV_EOF, "EV_EOF"),
    ];
    let names: Vec<_> = names.iter().filter(|(flag, _)| flags & flag != 0).map(|(_, name)| *name).collect();
    let mut text = format!("{ident} {filter} {}", names.join("|"));
    if fflags == ffi::NOTE_TRIGGER {
        text += " NOTE_TRIGGER";
    } else if filter == "EVFILT_PROC" && fflags == ffi::NOTE_EXIT {
        text += " NOTE_EXIT";
    } else if fflags != 0 {
        text += &format!(" fflags={fflags:#x}");
    }
    if flags & ffi::EV_ERROR != 0 {
        text += &format!(" data={}", errno_name(data));
    } else if data != 0 {
        text += &format!(" data={data}");
    }
    if !udata.is_null() && flags & ffi::EV_ERROR == 0 {
        text += &format!(" udata={}", udata as usize);
    }
    text
}

fn errno_name(number: isize) -> String {
    let name = match number as c_int {
        ffi::EPERM => "EPERM",
        ffi::ENOENT => "ENOENT",
        ffi::ESRCH => "ESRCH",
        ffi::EINTR => "EINTR",
        ffi::EBADF => "EBADF",
        ffi::ENOMEM => "ENOMEM",
        ffi::EINVAL => "EINVAL",
        ffi::EPIPE => "EPIPE",
        _ => return number.to_string(),
    };
    name.to_owned()
}
