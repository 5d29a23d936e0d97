//! The exit of a child process as a source.

use std::io;
use std::process::Child;

use crate::event::{Source, Token};
use crate::io_source::IoSource;
use crate::queue::ExitDescriptor;
use crate::{Interest, Registry};

/// A source that is readable once a child has exited: a descriptor of the queue's own kind, which stays readable.
pub(crate) struct ChildSource {
    exit: IoSource<ExitDescriptor>,
    id: u32,
}

impl ChildSource {
    pub fn new(child: &Child) -> io::Result<ChildSource> {
        let id = child.id();
        Ok(ChildSource { exit: IoSource::new(ExitDescriptor::new(id)?), id })
    }

    pub fn id(&self) -> u32 {
        self.id
    }
}

/// A child exits once, so edge mode is oneshot mode here. In edge mode, newer releases of Linux would report a child
/// again when it was waited for.
fn once_if_edge(interests: Interest) -> Interest {
    if interests.is_edge() {
        interests.oneshot()
    } else {
        interests
    }
}

impl Source for ChildSource {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.exit.register(registry, token, once_if_edge(interests))
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.exit.reregister(registry, token, once_if_edge(interests))
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.exit.deregister(registry)
    }
}
