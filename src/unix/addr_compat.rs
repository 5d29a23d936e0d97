//! `bind_addr` and `connect_addr`, which the standard library has had since Rust 1.70. A compiler prefers a type's own
//! methods to those of a trait, so with a newer standard library these traits are not used.

// The names are those of the standard library's methods, on purpose.
#![allow(unstable_name_collisions)]

use std::io;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;

#[allow(dead_code)]
pub(super) trait BindAddr: Sized {
    fn bind_addr(address: &SocketAddr) -> io::Result<Self>;
}

impl BindAddr for net::UnixListener {
    fn bind_addr(address: &SocketAddr) -> io::Result<net::UnixListener> {
        net::UnixListener::bind(path(address)?)
    }
}

impl BindAddr for net::UnixDatagram {
    fn bind_addr(address: &SocketAddr) -> io::Result<net::UnixDatagram> {
        net::UnixDatagram::bind(path(address)?)
    }
}

#[allow(dead_code)]
pub(super) trait ConnectAddr {
    fn connect_addr(&self, address: &SocketAddr) -> io::Result<()>;
}

impl ConnectAddr for net::UnixDatagram {
    fn connect_addr(&self, address: &SocketAddr) -> io::Result<()> {
        self.connect(path(address)?)
    }
}

/// Returns the path of an address. The path of an unnamed address is empty.
#[allow(dead_code)]
fn path(address: &SocketAddr) -> io::Result<&Path> {
    match address.as_pathname() {
        Some(path) => Ok(path),
        None if address.is_unnamed() => Ok(Path::new("")),
        None => Err(io::Error::new(io::ErrorKind::Unsupported, "cannot use an abstract name before Rust 1.70")),
    }
}
