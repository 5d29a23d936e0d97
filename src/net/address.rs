//! Socket addresses in their C form.

use std::io;
use std::mem;
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::raw::c_int;

use crate::handle;
use handle::ffi::{self, sockaddr, sockaddr_in, sockaddr_in6, socklen_t};

/// Returns an address without a family.
#[inline]
pub(crate) fn empty_sockaddr() -> sockaddr {
    sockaddr { v6: ffi::EMPTY_SOCKADDR_IN6 }
}

/// Writes an address in its C form. Returns its length.
#[inline]
pub(crate) fn to_sockaddr(addr: &SocketAddr, sockaddr: &mut sockaddr) -> socklen_t {
    match addr {
        SocketAddr::V4(addr) => {
            let mut v4 = ffi::EMPTY_SOCKADDR_IN;
            v4.sin_family = ffi::AF_INET as ffi::sa_family_t;
            v4.sin_port = addr.port().to_be_bytes();
            v4.sin_addr = addr.ip().octets();
            sockaddr.v4 = v4;
            mem::size_of::<sockaddr_in>() as socklen_t
        }
        SocketAddr::V6(addr) => to_sockaddr_in6(addr, sockaddr),
    }
}

/// Writes an IPv6 address in its C form. Not inlined, for the reason that `from_sockaddr_in6` gives.
#[cold]
#[inline(never)]
fn to_sockaddr_in6(addr: &SocketAddrV6, sockaddr: &mut sockaddr) -> socklen_t {
    let mut v6 = ffi::EMPTY_SOCKADDR_IN6;
    v6.sin6_family = ffi::AF_INET6 as ffi::sa_family_t;
    v6.sin6_port = addr.port().to_be_bytes();
    v6.sin6_flowinfo = addr.flowinfo();
    v6.sin6_addr = addr.ip().octets();
    v6.sin6_scope_id = addr.scope_id();
    sockaddr.v6 = v6;
    mem::size_of::<sockaddr_in6>() as socklen_t
}

/// Reads an IPv4 address.
#[inline]
pub(crate) fn from_sockaddr_in(v4: sockaddr_in) -> SocketAddr {
    SocketAddrV4::new(v4.sin_addr.into(), u16::from_be_bytes(v4.sin_port)).into()
}

/// Reads an address of a family other than IPv4. The function is not inlined, because the compiler would then move an
/// IPv4 address through the program field by field too.
#[cold]
#[inline(never)]
pub(crate) fn from_sockaddr_in6(v6: sockaddr_in6) -> io::Result<SocketAddr> {
    if c_int::from(v6.sin6_family) != ffi::AF_INET6 {
        // On some systems, a connection that was closed while it waited for `accept` has no address.
        return Err(io::ErrorKind::ConnectionAborted.into());
    }
    let port = u16::from_be_bytes(v6.sin6_port);
    Ok(SocketAddrV6::new(v6.sin6_addr.into(), port, v6.sin6_flowinfo, v6.sin6_scope_id).into())
}
