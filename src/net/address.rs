//! Socket addresses, as C has them.

use std::mem;
use std::net::SocketAddr;

use crate::handle;
use handle::ffi::{self, sockaddr, socklen_t};

/// An address of no family, all of it zero.
#[inline]
pub(crate) fn nowhere() -> sockaddr {
    let v6 =
        ffi::sockaddr_in6 { sin6_family: 0, sin6_port: [0; 2], sin6_flowinfo: 0, sin6_addr: [0; 16], sin6_scope_id: 0 };
    sockaddr { v6 }
}

/// Puts an address in its C form into `place`, which is zero. Returns its length.
#[inline]
pub(crate) fn to_c(addr: &SocketAddr, place: &mut sockaddr) -> socklen_t {
    match addr {
        SocketAddr::V4(addr) => {
            place.v4 = ffi::sockaddr_in {
                sin_family: ffi::AF_INET as ffi::sa_family_t,
                sin_port: addr.port().to_be_bytes(),
                sin_addr: addr.ip().octets(),
                sin_zero: [0; 8],
            };
            mem::size_of::<ffi::sockaddr_in>() as socklen_t
        }
        SocketAddr::V6(addr) => {
            place.v6 = ffi::sockaddr_in6 {
                sin6_family: ffi::AF_INET6 as ffi::sa_family_t,
                sin6_port: addr.port().to_be_bytes(),
                sin6_flowinfo: addr.flowinfo(),
                sin6_addr: addr.ip().octets(),
                sin6_scope_id: addr.scope_id(),
            };
            mem::size_of::<ffi::sockaddr_in6>() as socklen_t
        }
    }
}
