//! The server on its own thread.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use minimio::{Events, Waker};

use super::Server;

/// A running server. Dropping this stops the server.
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
        let open = Arc::clone(&connections);
        let thread = thread::Builder::new().name("server".into()).spawn(move || {
            let mut events = Events::with_capacity(1024);
            while server.poll_once(&mut events)? {
                open.store(server.connections(), Ordering::Release);
            }
            Ok(())
        })?;
        Ok(Background { addr, stopper, connections, thread: Some(thread) })
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Returns how many connections were open after the last batch of events.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Acquire)
    }

    /// Stops the server and returns its result.
    pub fn stop(mut self) -> io::Result<()> {
        self.stop_and_join()
    }

    fn stop_and_join(&mut self) -> io::Result<()> {
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
        // A caller that wants the result calls `stop`.
        let _ = self.stop_and_join();
    }
}
