//! Counts the open descriptors or handles of this process, to find leaks.

/// Returns how many descriptors or handles this process has open, or `None` on a system without `/proc/self/fd`.
pub fn open_handles() -> Option<usize> {
    #[cfg(unix)]
    return Some(std::fs::read_dir("/proc/self/fd").ok()?.count());
    #[cfg(windows)]
    return windows::open_handles();
}

#[cfg(windows)]
mod windows {
    use std::mem;
    use std::os::raw::c_void;
    use std::process;

    /// Counts in the kernel's list of all handles of all processes (`SystemExtendedHandleInformation`). The simple
    /// function, `GetProcessHandleCount`, always returns 0 on Wine.
    pub fn open_handles() -> Option<usize> {
        let mut list = vec![0_usize; 1 << 16];
        loop {
            let mut len = 0;
            let size = mem::size_of_val(&list[..]) as u32;
            // SAFETY: `list` has `size` bytes, and `list` and `len` outlive the call.
            let status = unsafe { NtQuerySystemInformation(64, list.as_mut_ptr().cast(), size, &mut len) };
            match status {
                0 => break,
                STATUS_INFO_LENGTH_MISMATCH => list.resize(list.len() * 2, 0),
                status => panic!("NtQuerySystemInformation: {status:#x}"),
            }
        }
        // The list is a count, a reserved word, and an `Entry` for each handle.
        let words = mem::size_of::<Entry>() / mem::size_of::<usize>();
        let entries = list[2..].chunks_exact(words).take(list[0]);
        Some(entries.filter(|entry| entry[1] == process::id() as usize).count())
    }

    #[repr(C)]
    struct Entry {
        object: *mut c_void,
        process: usize,
        handle: usize,
        access: u32,
        trace_and_type: [u16; 2],
        attributes: u32,
        reserved: u32,
    }

    const STATUS_INFO_LENGTH_MISMATCH: i32 = 0xc000_0004_u32 as i32;

    #[link(name = "ntdll")]
    extern "system" {
        /// <https://learn.microsoft.com/windows/win32/api/winternl/nf-winternl-ntquerysysteminformation>
        fn NtQuerySystemInformation(class: i32, info: *mut c_void, len: u32, needed: *mut u32) -> i32;
    }
}
