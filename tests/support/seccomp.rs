//! Makes a system call of Linux fail, as in a sandbox or on an older kernel.

/// Makes `pidfd_open` fail with this error in this thread and those that it starts. Returns false on a system whose
/// `ChildExit` does not use the call.
#[cfg(not(all(target_os = "linux", target_arch = "x86_64", target_pointer_width = "64", not(minimio_kqueue))))]
pub fn forbid_pidfd_open(_: u32) -> bool {
    false
}

/// Makes `pidfd_open` fail with this error in this thread and those that it starts. Returns false on a system whose
/// `ChildExit` does not use the call.
#[cfg(all(target_os = "linux", target_arch = "x86_64", target_pointer_width = "64", not(minimio_kqueue)))]
pub fn forbid_pidfd_open(errno: u32) -> bool {
    use std::os::raw::{c_int, c_long, c_ulong};

    /// An instruction of a filter, `struct sock_filter` of <linux/filter.h>.
    #[repr(C)]
    struct Instruction {
        code: u16,
        if_true: u8,
        if_false: u8,
        value: u32,
    }

    /// `struct sock_fprog` of <linux/filter.h>.
    #[repr(C)]
    struct Program {
        len: u16,
        instructions: *const Instruction,
    }

    extern "C" {
        fn prctl(option: c_int, ...) -> c_int;
        fn syscall(number: c_long, ...) -> c_long;
    }

    const LOAD_WORD: u16 = 0x20;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const ALLOW: u32 = 0x7fff_0000;
    const FAIL_WITH: u32 = 0x0005_0000;
    const PR_SET_NO_NEW_PRIVS: c_int = 38;
    const PR_SET_SECCOMP: c_int = 22;
    const SECCOMP_MODE_FILTER: c_ulong = 2;
    const PIDFD_OPEN: u32 = 434;

    let instruction = |code, if_false, value| Instruction { code, if_true: 0, if_false, value };
    let instructions = [
        instruction(LOAD_WORD, 0, 0),
        instruction(JUMP_IF_EQUAL, 1, PIDFD_OPEN),
        instruction(RETURN, 0, FAIL_WITH | errno),
        instruction(RETURN, 0, ALLOW),
    ];
    let program = Program { len: instructions.len() as u16, instructions: instructions.as_ptr() };
    let zero: c_ulong = 0;
    // SAFETY: this option takes integers.
    assert_eq!(unsafe { prctl(PR_SET_NO_NEW_PRIVS, 1 as c_ulong, zero, zero, zero) }, 0);
    let program: *const Program = &program;
    // SAFETY: `program` and its instructions outlive the call, which only reads them.
    assert_eq!(unsafe { prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, zero, zero) }, 0);
    // SAFETY: the call takes two integers.
    assert_eq!(unsafe { syscall(PIDFD_OPEN as c_long, 1 as c_int, 0 as c_int) }, -1);
    assert_eq!(std::io::Error::last_os_error().raw_os_error(), Some(errno as i32));
    true
}
