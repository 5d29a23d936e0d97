//! The server in a thread of its own.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use minimio::{Events, Waker};

use super::Server;

/// A server that runs until this is dropped.
pub struct Background {
    addr: SocketAddr,
    stopper: Waker,
    connections: Arc<AtomicUsize>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Background {
    pub fn start(mut server: Server) -> io::Result<Background> {
        let addr = server.addr()?;
        let stopper = server.stopper()?;
        let connections = Arc::new(AtomicUsize::new(0));
        let gauge = Arc::clone(&connections);
        let thread = thread::Builder::new().name("server".into()).spawn(move || {
            let mut events = Events::with_capacity(1024);
            while server.turn(&mut events)? {
                gauge.store(server.connections(), Ordering::Release);
            }
            Ok(())
        })?;
        Ok(Background { addr, stopper, connections, thread: Some(thread) })
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// How many connections were open after the last batch of events.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Acquire)
    }

    /// Stops the server, and says how it went.
    pub fn stop(mut self) -> io::Result<()> {
        self.end()
    }

    fn end(&mut self) -> io::Result<()> {
        match self.thread.take() {
            Some(thread) => {
                self.stopper.wake()?;
                thread.join().unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::Other, "the server has panicked")))
            }
            None => Ok(()),
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // Whoever wants to know calls `stop`.
        let _ = self.end();
    }
}
